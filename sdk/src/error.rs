//! The contract's error, made in one line and matched by `?`.
//!
//! Knows nothing of HTTP: the gateway chooses the status.

use crate::{Error, Violation};

/// `Error::NotFound` with a formatted text: `not_found!("no product {id}")`.
#[macro_export]
macro_rules! not_found {
    ($($text:tt)*) => { $crate::Error::NotFound(::std::format!($($text)*)) };
}

/// `Error::Conflict` with a formatted text.
#[macro_export]
macro_rules! conflict {
    ($($text:tt)*) => { $crate::Error::Conflict(::std::format!($($text)*)) };
}

/// `Error::PreconditionFailed` with a formatted text.
#[macro_export]
macro_rules! precondition_failed {
    ($($text:tt)*) => { $crate::Error::PreconditionFailed(::std::format!($($text)*)) };
}

/// `Error::Unauthorized` with a formatted text.
#[macro_export]
macro_rules! unauthorized {
    ($($text:tt)*) => { $crate::Error::Unauthorized(::std::format!($($text)*)) };
}

/// `Error::Unavailable` with a formatted text.
#[macro_export]
macro_rules! unavailable {
    ($($text:tt)*) => { $crate::Error::Unavailable(::std::format!($($text)*)) };
}

/// `Error::Invalid` with one violation: a JSON pointer, then a formatted text.
#[macro_export]
macro_rules! invalid {
    ($pointer:expr, $($text:tt)*) => {
        $crate::Error::Invalid(::std::vec![$crate::Violation {
            pointer: $pointer.into(),
            detail: ::std::format!($($text)*),
        }])
    };
}

/// Faults of one input, collected so that the client sees all of them at once.
#[derive(Debug, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Adds a violation at a JSON pointer unless `holds`.
    pub fn expect(
        &mut self,
        holds: bool,
        pointer: impl Into<String>,
        detail: impl FnOnce() -> String,
    ) {
        if !holds {
            self.0.push(Violation {
                pointer: pointer.into(),
                detail: detail(),
            });
        }
    }

    /// Adds a violation unless `text` has `min` to `max` characters.
    pub fn expect_length(
        &mut self,
        text: &str,
        min: usize,
        max: usize,
        pointer: impl Into<String>,
    ) {
        let length = text.chars().count();
        self.expect((min..=max).contains(&length), pointer, || {
            format!("expected {min} to {max} characters, found {length}")
        });
    }

    /// `Error::Invalid` with all of them, if there are any.
    pub fn check(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(self.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_violations_are_reported_together() {
        let mut violations = Violations::default();
        violations.expect_length("", 1, 3, "/name");
        violations.expect_length("täg", 1, 3, "/tag");
        violations.expect(false, "/lines", || "expected at least one".into());
        let Err(Error::Invalid(found)) = violations.check() else {
            panic!("expected invalid")
        };
        let pointers: Vec<_> = found
            .iter()
            .map(|violation| violation.pointer.as_str())
            .collect();
        assert_eq!(pointers, ["/name", "/lines"]);
    }

    #[test]
    fn constructors_format() {
        let sku = "CUP";
        assert!(
            matches!(not_found!("no SKU {sku}"), Error::NotFound(text) if text == "no SKU CUP")
        );
        assert!(matches!(invalid!("/q", "empty"), Error::Invalid(all) if all[0].pointer == "/q"));
    }
}
