//! Who calls, and under which conditions.
//!
//! The functions ask the host; [`Caller`] and [`Conditions`] are plain values,
//! so that domain logic can be tested with any caller.

use crate::bindings::stoa::service::context;
use crate::{Error, Timestamp, precondition_failed};

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

/// When a queue kept this call; `None` where its caller waits for it.
pub fn enqueued_at() -> Option<Timestamp> {
    let millis = context::enqueued_at()?;
    Some(Timestamp::from_millis(
        i64::try_from(millis).unwrap_or(i64::MAX),
    ))
}

/// Which version of a thing a call may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conditions {
    /// What the client of this call allows: its `If-Match` and `If-None-Match`, which the
    /// host compares.
    OfClient,
    /// This one.
    Version(u64),
}

/// Fails unless a thing of this version may be changed; without conditions it may. To be
/// asked inside the compare-and-swap.
pub fn check_version(version: u64, conditions: Option<Conditions>) -> Result<(), Error> {
    let holds = match conditions {
        None => true,
        Some(Conditions::Version(expected)) => expected == version,
        Some(Conditions::OfClient) => context::may_change(Some(version)),
    };
    if holds {
        return Ok(());
    }
    Err(precondition_failed!(
        "it has version {version} now, and the request is for another (If-Match, If-None-Match): read it again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_changed_by_who_means_it() {
        for fine in [None, Some(Conditions::Version(3))] {
            assert_eq!(check_version(3, fine).ok(), Some(()), "{fine:?}");
        }
        let stale = check_version(3, Some(Conditions::Version(2)));
        assert!(matches!(stale, Err(Error::PreconditionFailed(_))));
    }
}
