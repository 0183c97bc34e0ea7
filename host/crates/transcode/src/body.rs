//! From the bytes of a JSON body to a value, and to a fault with its place.

use std::cell::{Cell, RefCell};
use std::fmt::Display;

use serde::de::{DeserializeSeed as _, Error};
use serde_json::error::Category;

use super::fault::{FaultKind, InputFault, Place};
use super::plan::Plan;
use super::read::Reader;
use stoa_engine::value::Val;

/// Fields that a body may leave out, in all. `{}` can stand for a record of
/// any number of options: without an end, a small body would fill the memory.
const OMITTED: usize = 1 << 18;

/// Reads a whole body as the plan's type.
pub(super) fn decode(plan: &Plan, body: &[u8]) -> Result<Val, InputFault> {
    let trail = Trail::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    Reader::new(plan, &trail)
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value))
        .map_err(|error| match byte_order_mark(body) {
            Some(found) => unreadable(found),
            None => trail.fault(&error),
        })
}

/// What a text begins with that editors put there, and that no JSON has: RFC 8259,
/// section 8.1.
fn byte_order_mark(body: &[u8]) -> Option<&'static str> {
    match body {
        [0xEF, 0xBB, 0xBF, ..] => {
            Some("a byte order mark (U+FEFF) before it: send the JSON without that")
        }
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            Some("the byte order mark of UTF-16: send UTF-8, without such a mark")
        }
        _ => None,
    }
}

fn unreadable(found: &str) -> InputFault {
    InputFault {
        kind: FaultKind::Syntax,
        place: Place::Body {
            pointer: String::new(),
        },
        message: format!("expected JSON, found {found}"),
    }
}

/// The way to the first fault, kept beside the parser's own error, which has
/// room for a text only. Touched on the way out of a failure, not before.
#[derive(Debug, Default)]
pub(super) struct Trail {
    message: RefCell<Option<String>>,
    /// Field names and indices, the innermost first.
    steps: RefCell<Vec<String>>,
    omitted: Cell<usize>,
}

impl Trail {
    /// A value that isn't what the plan says.
    #[cold]
    pub fn wrong<E: Error>(&self, expected: impl Display, found: impl Display) -> E {
        self.fail(format!("expected {expected}, found {found}"))
    }

    #[cold]
    pub fn fail<E: Error>(&self, message: String) -> E {
        *self.message.borrow_mut() = Some(message);
        E::custom("wrong shape")
    }

    /// The fault lies within this field or item.
    #[cold]
    pub fn within<E>(&self, step: impl Display, error: E) -> E {
        self.steps.borrow_mut().push(step.to_string());
        error
    }

    /// Counts a field that the body left out.
    pub fn omit<E: Error>(&self) -> Result<(), E> {
        let omitted = self.omitted.get() + 1;
        self.omitted.set(omitted);
        if omitted > OMITTED {
            return Err(self.wrong(
                format_args!("a body that leaves out at most {OMITTED} fields"),
                "more",
            ));
        }
        Ok(())
    }

    fn fault(&self, error: &serde_json::Error) -> InputFault {
        let pointer = self.pointer();
        let (kind, message) = match (self.message.take(), error.classify()) {
            (Some(message), _) => (FaultKind::Shape, message),
            (None, Category::Data) => (FaultKind::Shape, error.to_string()),
            (None, _) => (
                FaultKind::Syntax,
                format!("expected JSON, found a fault in it: {error}"),
            ),
        };
        InputFault {
            kind,
            place: Place::Body { pointer },
            message,
        }
    }

    fn pointer(&self) -> String {
        let steps = self.steps.borrow();
        steps
            .iter()
            .rev()
            .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
            .collect()
    }
}
