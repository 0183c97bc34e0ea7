//! Values without parts: from JSON numbers and strings, and from text in a
//! path or query.

use std::fmt::{self, Display};

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, PAD};

use super::fault::Quoted;
use super::plan::Plan;
use stoa_engine::value::Val;

/// Written: the standard alphabet, padded. Read: also without padding.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);
const LENIENT: GeneralPurposeConfig = PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Beyond this a JavaScript number can't tell neighbours apart.
pub(super) const EXACT: u64 = 1 << 53;

/// The integer types of WIT.
#[derive(Debug, Clone, Copy)]
pub(super) enum Integer {
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
}

impl Integer {
    /// None where the number is out of range.
    pub fn val(self, number: i128) -> Option<Val> {
        match self {
            Self::S8 => number.try_into().map(Val::S8).ok(),
            Self::U8 => number.try_into().map(Val::U8).ok(),
            Self::S16 => number.try_into().map(Val::S16).ok(),
            Self::U16 => number.try_into().map(Val::U16).ok(),
            Self::S32 => number.try_into().map(Val::S32).ok(),
            Self::U32 => number.try_into().map(Val::U32).ok(),
            Self::S64 => number.try_into().map(Val::S64).ok(),
            Self::U64 => number.try_into().map(Val::U64).ok(),
        }
    }

    /// `1.0` and `1e3` are integers, as in JSON Schema. None where the number
    /// has a fraction, is out of range, or may have been rounded.
    pub fn val_of_float(self, number: f64) -> Option<Val> {
        let exact = number.fract() == 0.0 && number.abs() <= EXACT as f64;
        if exact {
            self.val(number as i128)
        } else {
            None
        }
    }

    /// Decimal digits, written as JSON writes an integer.
    pub fn parse(self, text: &str) -> Option<Val> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let padded = digits.len() > 1 && digits.starts_with('0');
        if plain && !padded {
            self.val(text.parse().ok()?)
        } else {
            None
        }
    }

    /// Whether JSON may carry it as a string.
    pub fn is_wide(self) -> bool {
        matches!(self, Self::S64 | Self::U64)
    }
}

impl Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = match self {
            Self::S8 => (i128::from(i8::MIN), i128::from(i8::MAX)),
            Self::U8 => (0, i128::from(u8::MAX)),
            Self::S16 => (i128::from(i16::MIN), i128::from(i16::MAX)),
            Self::U16 => (0, i128::from(u16::MAX)),
            Self::S32 => (i128::from(i32::MIN), i128::from(i32::MAX)),
            Self::U32 => (0, i128::from(u32::MAX)),
            Self::S64 => (i128::from(i64::MIN), i128::from(i64::MAX)),
            Self::U64 => (0, i128::from(u64::MAX)),
        };
        write!(f, "a whole number from {least} to {most}")
    }
}

/// The float that a JSON number's text names, rounded once to the nearest.
/// None where it is out of range.
pub(super) fn float(plan: &Plan, number: &str) -> Option<Val> {
    match plan {
        Plan::Float32 => number
            .parse()
            .ok()
            .filter(|value: &f32| value.is_finite())
            .map(Val::Float32),
        _ => number
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite())
            .map(Val::Float64),
    }
}

/// A float that JSON has no number for.
pub(super) fn special_float(plan: &Plan, text: &str) -> Option<Val> {
    let value = match text {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => return None,
    };
    Some(match plan {
        Plan::Float32 => Val::Float32(value as f32),
        _ => Val::Float64(value),
    })
}

/// Exactly one Unicode scalar.
pub(super) fn character(text: &str) -> Option<Val> {
    let mut characters = text.chars();
    characters
        .next()
        .filter(|_| characters.next().is_none())
        .map(Val::Char)
}

/// Base64 in either alphabet, with or without padding.
pub(super) fn bytes(text: &str) -> Option<Val> {
    let url = text.bytes().any(|byte| matches!(byte, b'-' | b'_'));
    let bytes = if url {
        BASE64_URL.decode(text)
    } else {
        BASE64.decode(text)
    };
    Some(Val::List(bytes.ok()?.into_iter().map(Val::U8).collect()))
}

/// Whether [`parse`] reads it.
pub(super) fn is_text(plan: &Plan) -> bool {
    match plan {
        Plan::Bool
        | Plan::Integer(_)
        | Plan::Float32
        | Plan::Float64
        | Plan::Char
        | Plan::String
        | Plan::Bytes
        | Plan::Enum(_) => true,
        Plan::Option(some) => !matches!(**some, Plan::Option(_)) && is_text(some),
        _ => false,
    }
}

/// A value from a piece of the path or query. Empty text is `none`, unless
/// the option's value may itself be empty text.
pub(super) fn parse(plan: &Plan, text: &str) -> Result<Val, String> {
    let value = match plan {
        Plan::Bool => text.parse().ok().map(Val::Bool),
        Plan::Integer(integer) => integer.parse(text),
        Plan::Float32 | Plan::Float64 => {
            special_float(plan, text).or_else(|| is_json_number(text).then(|| float(plan, text))?)
        }
        Plan::Char => character(text),
        Plan::String => Some(Val::String(text.to_owned())),
        Plan::Bytes => bytes(text),
        Plan::Enum(names) => names
            .find_json(text)
            .map(|at| Val::Enum(names.wit(at).to_owned())),
        Plan::Option(some) if text.is_empty() && !matches!(**some, Plan::String | Plan::Bytes) => {
            return Ok(Val::Option(None));
        }
        Plan::Option(some) => {
            return parse(some, text).map(|value| Val::Option(Some(value.into())));
        }
        _ => None,
    };
    value.ok_or_else(|| {
        let suggestion = match plan {
            Plan::Enum(names) => names.suggestion(text),
            _ => String::new(),
        };
        format!("expected {plan}, found {}{suggestion}", Quoted(text))
    })
}

/// Rust's own parser takes more, such as `inf` and `1.`.
fn is_json_number(text: &str) -> bool {
    text.ends_with(|c: char| c.is_ascii_digit())
        && serde_json::from_str::<serde_json::Number>(text).is_ok()
}
