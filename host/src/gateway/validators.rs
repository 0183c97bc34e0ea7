//! Entity tags and conditional requests, RFC 9110 sections 8.8.3 and 13.
//!
//! An answer of a function to GET or HEAD always has a strong tag: its `version`,
//! else a hash of its body. A client that has that answer already gets 304; one that
//! wants another gets 412. A component that sees the request's headers, and every
//! write, judges `If-Match` itself.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, request::Parts};

use super::endpoint::Endpoint;
use super::respond::{self, Refusal, Response};

/// Bytes of a body's hash that its tag has: 128 bits never meet by chance.
const TAG_BYTES: usize = 16;

/// Which answer a client has already, and which it wants.
#[derive(Debug, Default)]
pub(super) struct Condition {
    reads: bool,
    if_match: Vec<HeaderValue>,
    if_none_match: Vec<HeaderValue>,
}

impl Condition {
    /// Reads `If-Match` and `If-None-Match` of a GET or HEAD.
    pub(super) fn of(parts: &Parts, endpoint: &Endpoint) -> Self {
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return Self::default();
        }
        let values = |name| parts.headers.get_all(name).iter().cloned().collect();
        Self {
            reads: true,
            if_match: if endpoint.shows_headers() {
                Vec::new()
            } else {
                values(header::IF_MATCH)
            },
            if_none_match: values(header::IF_NONE_MATCH),
        }
    }

    /// The answer with its tag, or 304 in its place.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(super) fn apply(&self, mut response: Response) -> Result<Response, Refusal> {
        if !self.reads || !response.status().is_success() {
            return Ok(response);
        }
        tag(&mut response);
        self.check(response)
    }

    /// 304 in the place of an answer that the client has.
    ///
    /// # Errors
    /// That it is another than the client wants, which goes first (section 13.2.2).
    pub(super) fn check(&self, response: Response) -> Result<Response, Refusal> {
        if !response.status().is_success() {
            return Ok(response);
        }
        let tag = response.headers().get(header::ETAG);
        let tag = tag.map_or(&b""[..], HeaderValue::as_bytes);
        let named = |lists: &[HeaderValue], comparison| {
            let names = |list: &HeaderValue| matches(list.as_bytes(), tag, comparison);
            lists.iter().any(names)
        };
        if !self.if_match.is_empty() && !named(&self.if_match, Comparison::Strong) {
            return Err(Refusal::NoMatch);
        }
        let known = !tag.is_empty() && named(&self.if_none_match, Comparison::Weak);
        Ok(if known {
            respond::not_modified(response)
        } else {
            response
        })
    }
}

/// How tags are compared, RFC 9110 section 8.8.3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// Byte by byte the same: a weak tag is like none.
    Strong,
    /// The same thing.
    Weak,
}

/// Gives an answer that is there whole its tag, unless it has one.
pub(super) fn tag(response: &mut Response) {
    if response.headers().contains_key(header::ETAG) {
        return;
    }
    let Some(body) = response.body().as_whole().filter(|body| !body.is_empty()) else {
        return;
    };
    let hash = blake3::hash(body);
    let mut tag = [b'"'; 2 * TAG_BYTES + 2];
    let digits = hex::encode_to_slice(&hash.as_bytes()[..TAG_BYTES], &mut tag[1..=2 * TAG_BYTES]);
    if let (Ok(()), Ok(tag)) = (digits, HeaderValue::from_bytes(&tag)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
}

/// Whether a list of tags names this one. What is no list matches nothing.
fn matches(list: &[u8], tag: &[u8], comparison: Comparison) -> bool {
    let opaque = tag.strip_prefix(b"W/").unwrap_or(tag);
    let mut rest = list.trim_ascii();
    if rest == b"*" {
        return true;
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(b",") {
            rest = after.trim_ascii_start();
            continue;
        }
        let strong = rest.strip_prefix(b"W/").unwrap_or(rest);
        // A comma may stand within the quotes.
        let Some(end) = strong
            .strip_prefix(b"\"")
            .and_then(|inner| inner.iter().position(|byte| *byte == b'"'))
        else {
            return false;
        };
        let (named, after) = strong.split_at(end + 2);
        let weak = strong.len() < rest.len() || opaque.len() < tag.len();
        if named == opaque && (comparison == Comparison::Weak || !weak) {
            return true;
        }
        rest = after.trim_ascii_start();
    }
    false
}

/// The headers that a 304 has, RFC 9110 section 15.4.5, and those that tell how
/// it came.
pub(super) fn of_not_modified(headers: &HeaderMap) -> HeaderMap {
    const KEPT: [&str; 8] = [
        "etag",
        "cache-control",
        "content-location",
        "date",
        "expires",
        "vary",
        "age",
        "cache-status",
    ];
    let kept = headers
        .iter()
        .filter(|(name, _)| KEPT.contains(&name.as_str()));
    let mut left = HeaderMap::with_capacity(KEPT.len());
    kept.for_each(|(name, value)| {
        left.append(name, value.clone());
    });
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn weak_tags_lists_and_the_star_match() {
        let seven = b"\"7\"";
        for list in [
            "\"7\"",
            "W/\"7\"",
            "*",
            " * ",
            "\"6\", W/\"7\"",
            ",\"7\",",
            "\"a,b\",\"7\"",
        ] {
            assert!(matches(list.as_bytes(), seven, Comparison::Weak), "{list}");
        }
        for list in [
            "",
            "7",
            "\"77\"",
            "\"7",
            "w/\"7\"",
            "\"6\" \"8\"",
            "*, \"8\"",
            "\"8\"; \"7\"",
        ] {
            assert!(!matches(list.as_bytes(), seven, Comparison::Weak), "{list}");
        }
        assert!(matches(b"\"7\"", b"W/\"7\"", Comparison::Weak));
    }

    #[test]
    fn a_weak_tag_is_no_strong_one() {
        let strong = |list: &str, tag: &[u8]| matches(list.as_bytes(), tag, Comparison::Strong);
        for list in ["\"7\"", "W/\"7\", \"7\"", "*"] {
            assert!(strong(list, b"\"7\""), "{list}");
        }
        assert!(!strong("W/\"7\"", b"\"7\""));
        assert!(!strong("\"7\", W/\"7\"", b"W/\"7\""));
    }

    proptest! {
        #[test]
        fn a_list_matches_exactly_the_tags_in_it(
            tags in proptest::collection::vec(("[!#-~]{0,6}", any::<bool>()), 0..6),
            other in "[!#-~]{0,6}",
        ) {
            let written: Vec<_> = tags
                .iter()
                .map(|(tag, weak)| format!("{}\"{tag}\"", if *weak { "W/" } else { "" }))
                .collect();
            let list = written.join(" , ");
            for (tag, _) in &tags {
                let tag = format!("\"{tag}\"");
                prop_assert!(matches(list.as_bytes(), tag.as_bytes(), Comparison::Weak));
            }
            let expected = tags.iter().any(|(tag, _)| *tag == other);
            let other = format!("\"{other}\"");
            prop_assert_eq!(matches(list.as_bytes(), other.as_bytes(), Comparison::Weak), expected);
        }

        #[test]
        fn no_list_makes_it_fail(list in proptest::collection::vec(any::<u8>(), 0..40)) {
            matches(&list, b"\"7\"", Comparison::Weak);
        }
    }
}
