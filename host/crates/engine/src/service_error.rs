//! The standard error of contracts, `stoa:service/types.error`, as the host
//! reads and makes it.
//!
//! The type is known by its structure, since each component brings its own
//! copy. Knows nothing of HTTP: the gateway chooses a status for each case.

use super::value::{Type, Val};

/// Why a function refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    /// Which of the cases.
    pub case: ErrorCase,
    /// For people; goes to the client. Empty for [`ErrorCase::Invalid`], whose
    /// text is in the violations.
    pub detail: String,
    /// Only for [`ErrorCase::Invalid`].
    pub violations: Vec<Violation>,
}

/// The cases of the standard error, in the contract's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCase {
    /// The input is well-formed but breaks a rule.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// The thing's state forbids the step.
    Conflict,
    /// The caller's version is stale.
    PreconditionFailed,
    /// The caller must say who it is.
    Unauthorized,
    /// The caller may not do this.
    Forbidden,
    /// The caller has used up a quota.
    TooManyRequests,
    /// A dependency can't answer now; trying again may work.
    Unavailable,
}

/// One fault in the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer (RFC 6901) into the request's body.
    pub pointer: String,
    /// What was expected and what was found.
    pub detail: String,
}

/// Whether a type is `stoa:service/types.error`.
pub fn is_standard(ty: &Type) -> bool {
    let Type::Variant(variant) = ty else {
        return false;
    };
    variant.cases().len() == ErrorCase::ALL.len()
        && variant.cases().zip(ErrorCase::ALL).all(|(found, case)| {
            let payload_fits = match (case, &found.ty) {
                (ErrorCase::Invalid, Some(payload)) => is_violations(payload),
                (_, payload) => *payload == Some(Type::String),
            };
            found.name == case.name() && payload_fits
        })
}

/// The value of `unavailable(text)`, to answer in place of a dependency.
pub fn unavailable(text: impl Into<String>) -> Val {
    let text = Val::String(text.into());
    Val::Variant(ErrorCase::Unavailable.name().to_owned(), Some(text.into()))
}

/// The result of a function whose dependency can't answer.
pub fn unavailable_result(text: impl Into<String>) -> Val {
    Val::Result(Err(Some(Box::new(unavailable(text)))))
}

impl ServiceError {
    /// Reads a value of the standard type; none for a value of another type.
    pub fn from_val(value: &Val) -> Option<Self> {
        let Val::Variant(name, Some(payload)) = value else {
            return None;
        };
        let case = ErrorCase::ALL
            .into_iter()
            .find(|case| case.name() == name)?;
        match (case, &**payload) {
            (ErrorCase::Invalid, Val::List(violations)) => {
                let violations = violations.iter().map(violation).collect::<Option<_>>()?;
                Some(Self {
                    case,
                    detail: String::new(),
                    violations,
                })
            }
            (ErrorCase::Invalid, _) => None,
            (_, Val::String(detail)) => Some(Self {
                case,
                detail: detail.clone(),
                violations: Vec::new(),
            }),
            _ => None,
        }
    }
}

impl ErrorCase {
    /// All cases, in the contract's order.
    pub const ALL: [Self; 8] = [
        Self::Invalid,
        Self::NotFound,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::Unauthorized,
        Self::Forbidden,
        Self::TooManyRequests,
        Self::Unavailable,
    ];

    /// The case's name in WIT.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::PreconditionFailed => "precondition-failed",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::TooManyRequests => "too-many-requests",
            Self::Unavailable => "unavailable",
        }
    }
}

fn is_violations(ty: &Type) -> bool {
    let Type::List(list) = ty else { return false };
    let Type::Record(record) = list.ty() else {
        return false;
    };
    record
        .fields()
        .map(|field| (field.name, field.ty))
        .eq([("pointer", Type::String), ("detail", Type::String)])
}

fn violation(value: &Val) -> Option<Violation> {
    let Val::Record(fields) = value else {
        return None;
    };
    match &fields[..] {
        [(_, Val::String(pointer)), (_, Val::String(detail))] => Some(Violation {
            pointer: pointer.clone(),
            detail: detail.clone(),
        }),
        _ => None,
    }
}
