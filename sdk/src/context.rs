//! Who calls, and under which conditions.
//!
//! The functions ask the host; [`Caller`] and [`check_version`] are plain values,
//! so that domain logic can be tested with any caller.

use crate::bindings::stoa::service::context;
use crate::{Error, precondition_failed};

/// The caller of this call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// Who it is; `None` when no identity was given.
    pub subject: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
}

impl Caller {
    /// The caller as the host knows it.
    pub fn current() -> Self {
        match context::caller() {
            Some(principal) => Self {
                subject: Some(principal.subject),
                scopes: principal.scopes,
            },
            None => Self::default(),
        }
    }

    /// Whether the caller was given a scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|given| given == scope)
    }
}

/// The client's `Idempotency-Key`.
pub fn idempotency_key() -> Option<String> {
    context::idempotency_key()
}

/// The client's `If-Match`, without quotes.
pub fn if_match() -> Option<String> {
    context::if_match()
}

/// Fails unless the client's `If-Match` is absent, `*`, or names this version.
pub fn check_version(version: u64, if_match: Option<&str>) -> Result<(), Error> {
    match if_match {
        None | Some("*") => Ok(()),
        Some(text) if text == version.to_string() => Ok(()),
        Some(text) => Err(precondition_failed!(
            "expected version {version}, found If-Match {text:?}: read it again"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_compares_versions() {
        for fine in [None, Some("*"), Some("3")] {
            assert_eq!(check_version(3, fine).ok(), Some(()), "{fine:?}");
        }
        for stale in ["2", "03", "", "x"] {
            assert!(
                matches!(
                    check_version(3, Some(stale)),
                    Err(Error::PreconditionFailed(_))
                ),
                "{stale:?}"
            );
        }
    }
}
