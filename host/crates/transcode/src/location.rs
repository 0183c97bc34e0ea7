//! Where the thing is that a call has made: a path whose names are fields of the result.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::names::snake_case;
use super::plan::Planner;
use stoa_engine::value::{Type, Val};

/// All but what RFC 3986, section 2.3, leaves unreserved: a value is one segment.
const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A route's `location`, worked out for the type of its function's result.
#[derive(Debug)]
pub(super) struct Location(Box<[Segment]>);

#[derive(Debug)]
enum Segment {
    Text(Box<str>),
    /// Index of a field of the record.
    Field(usize),
}

impl Location {
    /// Finds each name of the template among the fields of the result.
    pub fn compile(template: &str, result: Option<&Type>, planner: &mut Planner) -> Option<Self> {
        let fields = fields(result);
        let mut segments = Vec::new();
        for text in template.split('/').skip(1) {
            let name = text
                .strip_prefix('{')
                .and_then(|text| text.strip_suffix('}'));
            let Some(name) = name else {
                segments.push(Segment::Text(text.into()));
                continue;
            };
            match fields.iter().position(|(field, _)| field == name) {
                Some(at) if is_scalar(&fields[at].1) => segments.push(Segment::Field(at)),
                Some(_) => planner.refuse(format!(
                    "location: expected {{{name}}} to be a string, whole number, bool, char or enum, found another type"
                )),
                None => planner.refuse(missing(name, &fields)),
            }
        }
        Some(Self(segments.into()))
    }

    /// The path for one result; none where a field has nothing to make a segment of.
    pub fn of(&self, result: &Val) -> Option<String> {
        let record = match result {
            Val::Option(Some(some)) => some,
            plain => plain,
        };
        let Val::Record(fields) = record else {
            return None;
        };
        let mut path = String::new();
        for segment in &self.0 {
            path.push('/');
            match segment {
                Segment::Text(text) => path.push_str(text),
                Segment::Field(at) => {
                    let text = text(&fields.get(*at)?.1)?;
                    // Whoever resolves the reference would take it out.
                    if matches!(&*text, "" | "." | "..") {
                        return None;
                    }
                    path.extend(utf8_percent_encode(&text, &RESERVED));
                }
            }
        }
        Some(path)
    }
}

/// The fields of a record, or of the record in an option.
fn fields(result: Option<&Type>) -> Vec<(String, Type)> {
    match result {
        Some(Type::Record(record)) => {
            let fields = record.fields();
            fields
                .map(|field| (snake_case(field.name), field.ty))
                .collect()
        }
        Some(Type::Option(some)) => fields(Some(&some.ty())),
        _ => Vec::new(),
    }
}

fn missing(name: &str, fields: &[(String, Type)]) -> String {
    let known: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
    let known = match &known[..] {
        [] => "it is no record".to_owned(),
        known => known.join(", "),
    };
    format!(
        "location: expected {{{name}}} to be a field of the function's result ({known}), found none of that name"
    )
}

fn is_scalar(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Bool
            | Type::S8
            | Type::U8
            | Type::S16
            | Type::U16
            | Type::S32
            | Type::U32
            | Type::S64
            | Type::U64
            | Type::Char
            | Type::String
            | Type::Enum(_)
    )
}

fn text(value: &Val) -> Option<Cow<'_, str>> {
    Some(match value {
        Val::String(text) => Cow::Borrowed(text),
        Val::Enum(case) => snake_case(case).into(),
        Val::Bool(truth) => truth.to_string().into(),
        Val::Char(character) => character.to_string().into(),
        Val::S8(number) => number.to_string().into(),
        Val::U8(number) => number.to_string().into(),
        Val::S16(number) => number.to_string().into(),
        Val::U16(number) => number.to_string().into(),
        Val::S32(number) => number.to_string().into(),
        Val::U32(number) => number.to_string().into(),
        Val::S64(number) => number.to_string().into(),
        Val::U64(number) => number.to_string().into(),
        _ => return None,
    })
}
