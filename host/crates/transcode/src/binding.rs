//! Parameters that a route names: one that is a header, one that is the whole body.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

use super::fault::{FaultKind, InputFault, Place, Quoted};
use super::input::Parameter;
use super::names::snake_case;
use super::plan::{Plan, Planner};
use super::scalar;
use stoa_engine::value::Val;

/// A parameter that is a header of the request.
#[derive(Debug)]
pub(super) struct HeaderParameter {
    name: HeaderName,
    pub index: usize,
    plan: Plan,
}

/// The parameter that is the body as it was sent.
#[derive(Debug)]
pub(super) struct RawBody {
    pub index: usize,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Bytes,
    Text,
}

/// Takes the parameter of that name out of `rest`, for a place such as
/// `path parameter {id}`.
pub(super) fn take(
    name: &str,
    place: &str,
    rest: &mut Vec<Parameter>,
    planner: &mut Planner,
) -> Option<Parameter> {
    let wanted = snake_case(name);
    let names: Vec<_> = rest.iter().map(|one| snake_case(&one.name)).collect();
    if let Some(at) = names.iter().position(|found| *found == wanted) {
        return Some(rest.remove(at));
    }
    let left = match names.is_empty() {
        true => "none is left".to_owned(),
        false => names.join(", "),
    };
    planner.refuse(format!(
        "{place}: expected the name of one of the function's parameters ({left}), each once"
    ));
    None
}

// === impl HeaderParameter ===

impl HeaderParameter {
    pub fn compile(
        (parameter, header): (&String, &String),
        rest: &mut Vec<Parameter>,
        planner: &mut Planner,
    ) -> Option<Self> {
        let place = format!("header {header} for parameter {parameter}");
        let Parameter { index, plan, .. } = take(parameter, &place, rest, planner)?;
        if !scalar::is_text(&plan) {
            planner.refuse(format!(
                "{place}: expected a number, string, enum or other type without parts, found {plan}"
            ));
            return None;
        }
        match header.parse() {
            Ok(name) => Some(Self { name, index, plan }),
            Err(_) => {
                planner.refuse(format!("{place}: expected the name of a header"));
                None
            }
        }
    }

    pub fn decode(&self, headers: &HeaderMap) -> Result<Val, InputFault> {
        let fault = |message| InputFault::header(self.name.as_str(), message);
        match (self.text(headers).map_err(fault)?, &self.plan) {
            (None, Plan::Option(_)) => Ok(Val::Option(None)),
            (None, plan) => Err(fault(format!("expected {plan}, found no such header"))),
            (Some(text), plan) => scalar::parse(plan, &text).map_err(fault),
        }
    }

    /// All that the request says in this header.
    fn text<'h>(&self, headers: &'h HeaderMap) -> Result<Option<Cow<'h, str>>, String> {
        let mut lines = headers.get_all(&self.name).iter().map(|value| {
            let text = std::str::from_utf8(value.as_bytes());
            text.map_err(|_| {
                let found = String::from_utf8_lossy(value.as_bytes());
                format!("expected UTF-8, found {}", Quoted(&found))
            })
        });
        let Some(first) = lines.next().transpose()? else {
            return Ok(None);
        };
        let mut whole = Cow::Borrowed(first);
        for line in lines {
            let whole = whole.to_mut();
            whole.push_str(", ");
            whole.push_str(line?);
        }
        Ok(Some(whole))
    }
}

// === impl RawBody ===

impl RawBody {
    pub fn compile(name: &str, rest: &mut Vec<Parameter>, planner: &mut Planner) -> Option<Self> {
        let place = format!("body for parameter {name}");
        let Parameter { index, plan, .. } = take(name, &place, rest, planner)?;
        let form = match plan {
            Plan::Bytes => Form::Bytes,
            Plan::String => Form::Text,
            plan => {
                planner.refuse(format!(
                    "{place}: expected list<u8>, or string for a body of UTF-8, found {plan}; without `body` it comes \
                     from JSON"
                ));
                return None;
            }
        };
        Some(Self { index, form })
    }

    pub fn decode(&self, body: &[u8]) -> Result<Val, InputFault> {
        match self.form {
            Form::Bytes => Ok(Val::List(body.iter().copied().map(Val::U8).collect())),
            Form::Text => match std::str::from_utf8(body) {
                Ok(text) => Ok(Val::String(text.to_owned())),
                Err(fault) => Err(InputFault {
                    kind: FaultKind::Text,
                    place: Place::Body {
                        pointer: String::new(),
                    },
                    message: format!(
                        "expected a text in UTF-8, found bytes that are none after {} bytes",
                        fault.valid_up_to()
                    ),
                }),
            },
        }
    }
}
