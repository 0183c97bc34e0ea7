//! What is wrong with a request's input, and where.

use std::fmt::{self, Display};

/// Input that doesn't fit the function. It never reaches a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFault {
    /// The class of fault, from which the gateway chooses its answer.
    pub kind: FaultKind,
    /// Where in the request.
    pub place: Place,
    /// What was expected and what was found; for the client.
    pub message: String,
}

/// The class of an [`InputFault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The body is not JSON: grammar, UTF-8, trailing data.
    Syntax,
    /// The body is JSON, but not of the function's types.
    Shape,
    /// A path parameter's value.
    Path,
    /// The query: an unknown name, a missing one, or a value.
    Query,
    /// A header: a missing one, or a value.
    Header,
    /// The body is to be a text and is not UTF-8.
    Text,
}

/// Where in the request an [`InputFault`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the body.
    Body {
        /// RFC 6901 pointer. Where something is missing, to where it should be.
        pointer: String,
    },
    /// In a path parameter.
    Path {
        /// The parameter, as the route's template writes it.
        name: String,
    },
    /// In the query.
    Query {
        /// The query parameter's name, decoded.
        name: String,
    },
    /// In a header.
    Header {
        /// The header's name, in lower case.
        name: String,
    },
}

impl InputFault {
    pub(super) fn path(name: &str, message: String) -> Self {
        Self {
            kind: FaultKind::Path,
            place: Place::Path {
                name: name.to_owned(),
            },
            message,
        }
    }

    pub(super) fn query(name: &str, message: String) -> Self {
        Self {
            kind: FaultKind::Query,
            place: Place::Query {
                name: name.to_owned(),
            },
            message,
        }
    }

    pub(super) fn header(name: &str, message: String) -> Self {
        Self {
            kind: FaultKind::Header,
            place: Place::Header {
                name: name.to_owned(),
            },
            message,
        }
    }
}

impl Display for InputFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Body { pointer } => write!(f, "body at {pointer:?}: {}", self.message),
            Place::Path { name } => write!(f, "path parameter {name}: {}", self.message),
            Place::Query { name } => write!(f, "query parameter {name}: {}", self.message),
            Place::Header { name } => write!(f, "header {name}: {}", self.message),
        }
    }
}

impl std::error::Error for InputFault {}

/// A piece of input, short enough to be quoted in a message.
pub(super) struct Quoted<'a>(pub &'a str);

/// Longer pieces are cut; a message is read by a person.
const QUOTED_CHARACTERS: usize = 64;

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(QUOTED_CHARACTERS) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}
