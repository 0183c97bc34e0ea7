//! An error of a function's own, for people.

use stoa_engine::service_error::ServiceError;
use stoa_engine::value::Val;

/// Letters of an error that is not of the standard type: it may be of any length.
const LONGEST: usize = 500;

/// What the results of a call say went wrong; `None` if nothing did.
pub(crate) fn of_results(results: &[Val]) -> Option<String> {
    match results.first() {
        Some(Val::Result(Err(payload))) => Some(payload.as_deref().map_or_else(no_reason, said)),
        _ => None,
    }
}

fn no_reason() -> String {
    "it gives no reason".to_owned()
}

fn said(error: &Val) -> String {
    if let Val::String(text) = error {
        return text.clone();
    }
    match ServiceError::from_val(error) {
        Some(error) if error.violations.is_empty() => {
            format!("{}: {}", error.case.name(), error.detail)
        }
        Some(error) => {
            let found = error.violations.iter();
            let found: Vec<_> = found
                .map(|one| format!("{}: {}", one.pointer, one.detail))
                .collect();
            format!("{}: {}", error.case.name(), found.join("; "))
        }
        None => format!("{error:?}").chars().take(LONGEST).collect(),
    }
}
