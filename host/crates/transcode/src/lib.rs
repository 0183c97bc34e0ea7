//! HTTP ↔ WIT: a request's path, query and JSON body become the parameters of
//! a function, and its result becomes the JSON of a reply.
//!
//! An [`Operation`] is compiled once, when a revision is deployed, and refuses
//! there what could never work. A request only walks its plan: JSON goes
//! straight into values and values straight into bytes. Knows nothing of
//! statuses, headers or problem documents: [`InputFault`] and [`Reply`] say
//! what happened, the gateway's `respond` says it in HTTP.
//!
//! # Names
//! Fields, parameters, cases, enum values and flags are all written in
//! snake_case: `line-items` is `line_items`. No other spelling is taken.
//!
//! # Values
//!
//! | WIT | JSON |
//! |---|---|
//! | bool, string | the same |
//! | integers to 32 bits | number; `1.0` and `1e3` count as whole, as in JSON Schema |
//! | u64, s64 | number up to ±2^53 inclusive, beyond it a string of digits; either is read at any size |
//! | f32, f64 | number, or `"NaN"`, `"Infinity"`, `"-Infinity"` (as in proto3) |
//! | char | string of one Unicode scalar |
//! | list, fixed-length list, tuple | array |
//! | list<u8> | base64; written standard and padded, read in the URL alphabet and unpadded too |
//! | map | object where keys are strings or chars, else array of `[key, value]`; no key twice |
//! | record | object; an option's field may be left out; written it is `null` |
//! | variant | `"case"`, or `{"case": payload}` where the case has one |
//! | result inside a value | like a variant of `ok` and `err` |
//! | enum | string |
//! | flags | array of strings, no flag twice |
//! | option | the value or `null`; an option whose value is an option itself: `{"some": value}` or `null` |
//!
//! Resources, streams, futures and error contexts have no form: a route to a
//! function with one is refused. A type may be 128 levels deep.
//!
//! # Parameters
//! Path parameters bind by name and are scalars, enums or bytes, or options of
//! those. The rest comes from the query for GET, HEAD and DELETE, from the body
//! for every other method and for routes of any method.
//!
//! * Header: a parameter that the route's `headers` name; a scalar, enum, bytes or an option
//!   of those. Several lines of one header are one list (RFC 9110 section 5.3). Without the
//!   header an option is `none`.
//! * Raw body: the bytes or the string that the route's `body` names gets the body as it
//!   was sent, of any type. What else there is then comes from the query.
//! * Body: one parameter is the whole body, several are its fields. No body
//!   at all means `{}` or `null` where everything may be left out.
//! * Query: the fields of one record, or the parameters themselves; scalars,
//!   enums, bytes and options of those. Lists and flags repeat their key; without it
//!   they are empty. An empty value (`?limit=`) of an option is `none`, but for
//!   strings and bytes, where it is empty text. `+` is a space.
//! * A function that takes nothing from the query is given no query.
//!
//! # Results
//! The ok of a `result` or a plain value is the body. Nothing, and a top-level
//! `none`, is [`Reply::Empty`].

mod arguments;
mod binding;
mod body;
mod fault;
mod input;
mod location;
mod names;
mod output;
mod parts;
mod plan;
mod query;
mod read;
mod scalar;
mod seeds;
mod write;

#[cfg(test)]
mod tests;

pub use arguments::{Arguments, NotOfType};
pub use fault::{FaultKind, InputFault, Place};
pub use input::BodyForm;
pub use names::snake_case;
pub use output::Reply;

use http::HeaderMap;
use input::Input;
use output::Output;
use plan::Planner;
use stoa_engine::value::{FunctionType, Val};
use stoa_settings::Route;

/// One route to one function, compiled.
#[derive(Debug)]
pub struct Operation {
    input: Input,
    output: Output,
}

impl Operation {
    /// Works out how the route's requests become calls of the function.
    ///
    /// # Errors
    /// Every reason why they can't: a path parameter that the function doesn't
    /// have, a type without a JSON form, a parameter that a query can't carry,
    /// a status or error mapping without sense.
    pub fn compile(route: &Route, function: &FunctionType) -> Result<Self, Vec<String>> {
        let mut planner = Planner::default();
        let input = Input::compile(route, function, &mut planner);
        let output = Output::compile(route, function, &mut planner);
        match (input, output, planner.faults()) {
            (Some(input), Some(output), faults) if faults.is_empty() => Ok(Self { input, output }),
            (_, _, faults) => Err(faults),
        }
    }

    /// What the body has to be. Where nothing looks at it, it need not be read.
    pub fn body(&self) -> Option<BodyForm> {
        self.input.body()
    }

    /// The parameters of the call. `path` has the raw, percent-encoded values
    /// of the template's parameters in their order.
    ///
    /// # Errors
    /// The first fault that was found, with its place.
    pub fn decode(
        &self,
        path: &[&str],
        query: Option<&str>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<Val>, InputFault> {
        self.input.decode(path, query, headers, body)
    }

    /// How many results the function returns: 0 or 1.
    pub fn result_slots(&self) -> usize {
        self.output.slots()
    }

    /// The reply that the results of a call make.
    pub fn encode(&self, results: &[Val]) -> Reply {
        self.output.encode(results)
    }
}
