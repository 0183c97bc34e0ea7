//! Conditional requests, RFC 9110 section 13: what a client says of the version that it
//! asks for, or means to change.
//!
//! A gateway judges answers to reads by it, a service the version that it is about to
//! change: each at the moment at which the version can't change any more. Precedence is that of section 13.2.2; dates are ignored, for nothing
//! here has a `Last-Modified`, and so is `If-Range`, for no answer of the host is one of
//! a range. Knows nothing of statuses.

use std::fmt::{self, Display};

use http::header::{self, HeaderMap, HeaderValue};

/// What a request's `If-Match` and `If-None-Match` ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    if_match: Option<Named>,
    if_none_match: Option<Named>,
}

/// What a list of entity tags names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    /// Whatever is there.
    Any,
    /// These; none in a field that is empty, or no list.
    These(Vec<Tag>),
}

/// An entity tag, section 8.8.3.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    weak: bool,
    /// With its quotes.
    opaque: Box<[u8]>,
}

/// What there is, when a condition is judged.
#[derive(Debug, Clone, Copy)]
pub enum Current<'t> {
    /// Nothing.
    Missing,
    /// Something without an entity tag.
    Untagged,
    /// Something with this tag, as the `ETag` field has it.
    Tagged(&'t [u8]),
}

/// How a condition came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing stands in the way.
    Holds,
    /// `If-Match` is for something else.
    Other,
    /// `If-None-Match` names it: the client has it, or wants it not to be there.
    Known,
}

/// What the gateway appends to the tag of an answer that it compresses: other bytes have
/// another strong tag, section 8.8.3.3. It stands for the same version.
pub const CODED: [&str; 3] = ["-gzip", "-br", "-zstd"];

// === impl Conditions ===

impl Conditions {
    /// Reads a request's headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let read = |name| Named::read(headers.get_all(name).iter());
        Self {
            if_match: read(header::IF_MATCH),
            if_none_match: read(header::IF_NONE_MATCH),
        }
    }

    /// Without `If-Match`, for who leaves that to somebody else.
    #[must_use]
    pub fn without_if_match(self) -> Self {
        Self {
            if_match: None,
            ..self
        }
    }

    /// Whether a request asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// `If-Match` for who compares it alone: `*`, or its tags, without quotes where one
    /// strong tag is all.
    pub fn if_match(&self) -> Option<String> {
        Some(match self.if_match.as_ref()? {
            Named::Any => "*".to_owned(),
            Named::These(tags) => match &tags[..] {
                [one] if !one.weak && *one.opaque != *b"\"*\"" => {
                    one.to_string().trim_matches('"').to_owned()
                }
                several => {
                    let several: Vec<_> = several.iter().map(Tag::to_string).collect();
                    several.join(", ")
                }
            },
        })
    }

    /// Judges what there is.
    pub fn judge(&self, current: Current<'_>) -> Outcome {
        let names = |named: &Option<Named>, comparison| {
            named.as_ref().map(|named| named.has(current, comparison))
        };
        if names(&self.if_match, Comparison::Strong) == Some(false) {
            Outcome::Other
        } else if names(&self.if_none_match, Comparison::Weak) == Some(true) {
            Outcome::Known
        } else {
            Outcome::Holds
        }
    }

    /// Whether the request allows to change what has this version; none: what is not there.
    pub fn allow_change(&self, version: Option<u64>) -> bool {
        let tag = version.map(|version| format!("\"{version}\""));
        let current = match &tag {
            Some(tag) => Current::Tagged(tag.as_bytes()),
            None => Current::Missing,
        };
        self.judge(current) == Outcome::Holds
    }
}

/// How tags are compared, section 8.8.3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// Byte by byte the same: a weak tag is like none.
    Strong,
    /// The same thing.
    Weak,
}

// === impl Named ===

impl Named {
    fn read<'v>(values: impl Iterator<Item = &'v HeaderValue>) -> Option<Self> {
        let lists: Vec<_> = values.map(HeaderValue::as_bytes).collect();
        match lists[..] {
            [] => None,
            [one] if one.trim_ascii() == b"*" => Some(Self::Any),
            _ => {
                let tags: Option<Vec<_>> = lists.into_iter().map(tags).collect();
                Some(Self::These(tags.unwrap_or_default().concat()))
            }
        }
    }

    fn has(&self, current: Current<'_>, comparison: Comparison) -> bool {
        match (self, current) {
            (_, Current::Missing) | (Self::These(_), Current::Untagged) => false,
            (Self::Any, _) => true,
            (Self::These(tags), Current::Tagged(current)) => {
                let opaque = current.strip_prefix(b"W/").unwrap_or(current);
                let weak = opaque.len() < current.len();
                tags.iter().any(|tag| {
                    tag.stands_for(opaque)
                        && (comparison == Comparison::Weak || !(weak || tag.weak))
                })
            }
        }
    }
}

impl Tag {
    /// Whether it is this tag, or that of the same thing in a content coding.
    fn stands_for(&self, opaque: &[u8]) -> bool {
        let same = opaque.strip_suffix(b"\"");
        let rest = same.and_then(|same| self.opaque.strip_prefix(same)?.strip_suffix(b"\""));
        rest.is_some_and(|rest| {
            rest.is_empty() || CODED.iter().any(|coded| coded.as_bytes() == rest)
        })
    }
}

impl Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weak = if self.weak { "W/" } else { "" };
        write!(f, "{weak}{}", String::from_utf8_lossy(&self.opaque))
    }
}

/// The tags of a list, section 5.6.1; a comma may stand within their quotes.
fn tags(list: &[u8]) -> Option<Vec<Tag>> {
    let mut tags = Vec::new();
    let mut rest = list.trim_ascii();
    let mut divided = true;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(b",") {
            (rest, divided) = (after.trim_ascii_start(), true);
            continue;
        }
        let opaque = rest.strip_prefix(b"W/").unwrap_or(rest);
        let inner = opaque.strip_prefix(b"\"").filter(|_| divided)?;
        let end = inner.iter().position(|byte| *byte == b'"')?;
        let (tag, after) = opaque.split_at(end + 2);
        tags.push(Tag {
            weak: opaque.len() < rest.len(),
            opaque: tag.into(),
        });
        (rest, divided) = (after.trim_ascii_start(), false);
    }
    Some(tags)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn conditions(if_match: Option<&str>, if_none_match: Option<&str>) -> Conditions {
        let mut headers = HeaderMap::new();
        let fields = [
            (header::IF_MATCH, if_match),
            (header::IF_NONE_MATCH, if_none_match),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                headers.append(name, HeaderValue::from_str(value).unwrap());
            }
        }
        Conditions::of(&headers)
    }

    type Row = (
        Option<&'static str>,
        Option<&'static str>,
        Outcome,
        bool,
        bool,
    );

    /// `If-Match`, `If-None-Match`, what a read of version 7 comes to, and whether
    /// version 7, and what is not there, may be changed.
    const TABLE: [Row; 24] = {
        use Outcome::{Holds, Known, Other};
        [
            (None, None, Holds, true, true),
            (Some("\"7\""), None, Holds, true, false),
            (Some("\"6\", \"7\""), None, Holds, true, false),
            (Some("\"6\",,\"7\","), None, Holds, true, false),
            (Some("*"), None, Holds, true, false),
            (Some(" * "), None, Holds, true, false),
            (Some("\"7-gzip\""), None, Holds, true, false),
            (Some("\"6\""), None, Other, false, false),
            (Some("W/\"7\""), None, Other, false, false),
            (Some("\"*\""), None, Other, false, false),
            (Some(""), None, Other, false, false),
            (Some(","), None, Other, false, false),
            (Some("7"), None, Other, false, false),
            (Some("*, \"7\""), None, Other, false, false),
            (Some("\"6\" \"7\""), None, Other, false, false),
            (Some("\"7-lz4\""), None, Other, false, false),
            (None, Some("\"7\""), Known, false, true),
            (None, Some("W/\"7\""), Known, false, true),
            (None, Some("\"6\", W/\"7-br\""), Known, false, true),
            (None, Some("*"), Known, false, true),
            (None, Some("\"6\""), Holds, true, true),
            (None, Some(""), Holds, true, true),
            (Some("\"6\""), Some("\"7\""), Other, false, false),
            (Some("\"7\""), Some("\"7\""), Known, false, false),
        ]
    };

    #[test]
    fn reads_and_changes_are_judged_alike() {
        for (if_match, if_none_match, read, change, create) in TABLE {
            let of = conditions(if_match, if_none_match);
            let told = format!("If-Match: {if_match:?}, If-None-Match: {if_none_match:?}");
            assert_eq!(of.judge(Current::Tagged(b"\"7\"")), read, "{told}");
            assert_eq!(of.allow_change(Some(7)), change, "{told}");
            assert_eq!(of.allow_change(None), create, "{told}");
        }
    }

    #[test]
    fn a_weak_tag_of_an_answer_is_no_strong_one() {
        let judged = |if_match| conditions(Some(if_match), None).judge(Current::Tagged(b"W/\"7\""));
        assert_eq!(judged("\"7\", W/\"7\""), Outcome::Other);
        assert_eq!(judged("*"), Outcome::Holds);
        let known = conditions(None, Some("\"7\""));
        assert_eq!(known.judge(Current::Tagged(b"W/\"7\"")), Outcome::Known);
        assert_eq!(known.judge(Current::Untagged), Outcome::Holds);
        assert_eq!(
            conditions(Some("*"), None).judge(Current::Untagged),
            Outcome::Holds
        );
    }

    #[test]
    fn several_fields_are_one_list() {
        let mut headers = HeaderMap::new();
        for value in ["\"6\"", "\"7\""] {
            headers.append(header::IF_MATCH, HeaderValue::from_static(value));
        }
        assert!(Conditions::of(&headers).allow_change(Some(7)));
        headers.append(header::IF_MATCH, HeaderValue::from_static("*"));
        assert!(!Conditions::of(&headers).allow_change(Some(7)));
    }

    #[test]
    fn who_compares_it_alone_gets_no_way_around() {
        for (field, told) in [
            ("\"3\"", "3"),
            ("*", "*"),
            ("\"*\"", "\"*\""),
            ("W/\"3\"", "W/\"3\""),
            ("\"3\",\"4\"", "\"3\", \"4\""),
            ("3", ""),
            ("", ""),
        ] {
            assert_eq!(
                conditions(Some(field), None).if_match().as_deref(),
                Some(told)
            );
        }
        assert_eq!(Conditions::default().if_match(), None);
    }

    proptest! {
        #[test]
        fn a_list_names_exactly_the_tags_in_it(
            tags in proptest::collection::vec(("[!#-,.-~]{0,6}", any::<bool>()), 0..6),
            other in "[!#-,.-~]{0,6}",
        ) {
            let written: Vec<_> = tags
                .iter()
                .map(|(tag, weak)| format!("{}\"{tag}\"", if *weak { "W/" } else { "" }))
                .collect();
            let of = conditions(None, Some(&written.join(" , ")));
            let known = |tag: &str| of.judge(Current::Tagged(format!("\"{tag}\"").as_bytes()));
            for (tag, _) in &tags {
                prop_assert_eq!(known(tag), Outcome::Known);
            }
            let expected = tags.iter().any(|(tag, _)| *tag == other);
            prop_assert_eq!(known(&other) == Outcome::Known, expected);
        }

        #[test]
        fn no_list_makes_it_fail(list in proptest::collection::vec(any::<u8>(), 0..40)) {
            tags(&list);
        }
    }
}
