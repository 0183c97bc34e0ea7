//! The contract's error, made in one line and matched by `?`.
//!
//! Knows nothing of HTTP: the gateway chooses the status.

use std::ops::RangeInclusive;

use crate::text::{self, Kind};
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

    /// Adds a violation unless `text` is a name of at most `max` characters: one line
    /// in which something can be seen.
    pub fn expect_name(&mut self, text: &str, max: usize, pointer: impl Into<String>) {
        self.expect_shown(text, 1..=max, Kind::Line, pointer.into());
    }

    /// Adds a violation unless `text` is one of at most `max` characters in which
    /// something can be seen, or is empty.
    pub fn expect_text(&mut self, text: &str, max: usize, pointer: impl Into<String>) {
        self.expect_shown(text, 0..=max, Kind::Lines, pointer.into());
    }

    fn expect_shown(
        &mut self,
        text: &str,
        lengths: RangeInclusive<usize>,
        kind: Kind,
        pointer: String,
    ) {
        let length = text.chars().count();
        if !lengths.contains(&length) {
            let (min, max) = lengths.into_inner();
            self.expect(false, pointer, || {
                format!("expected {min} to {max} characters, found {length}")
            });
        } else if length > 0
            && let Some(fault) = text::fault(text, kind)
        {
            self.expect(false, pointer, || fault);
        }
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
        violations.expect_name("", 3, "/name");
        violations.expect_name("täg", 3, "/tag");
        violations.expect_name(" \t", 3, "/blank");
        violations.expect_text("", 3, "/none");
        violations.expect_text("a\nb", 3, "/text");
        violations.expect_text("long", 3, "/long");
        violations.expect(false, "/lines", || "expected at least one".into());
        let Err(Error::Invalid(found)) = violations.check() else {
            panic!("expected invalid")
        };
        let pointers: Vec<_> = found
            .iter()
            .map(|violation| violation.pointer.as_str())
            .collect();
        assert_eq!(pointers, ["/name", "/blank", "/long", "/lines"]);
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
