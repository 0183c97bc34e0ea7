//! The key of a request, and what it stands for.
//!
//! The header is that of draft-ietf-httpapi-idempotency-key-header: a structured
//! string, `"8e03978e"`. Most clients send it bare, which is taken too.

use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;

use super::Fault;
use stoa_call::Principal;
use stoa_settings::Route;
use stoa_store::{KeyDigest, OWNER};

/// Longest key, in characters, as payment APIs have it.
const LONGEST: usize = 255;

/// Reads a request's key.
///
/// # Errors
/// [`Fault::Malformed`].
pub(super) fn read(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = value.to_str().ok().and_then(|text| parse(text.trim()));
    match (key, values.next()) {
        (Some(key), None) => Ok(Some(key)),
        _ => Err(Fault::Malformed),
    }
}

fn parse(text: &str) -> Option<String> {
    let key = match text.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None if text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"\\,;".contains(&byte)) =>
        {
            text.to_owned()
        }
        None => return None,
    };
    (!key.is_empty() && key.len() <= LONGEST).then_some(key)
}

/// The rest of a structured string, RFC 9651 section 4.2.5.
fn unquote(quoted: &str) -> Option<String> {
    let mut key = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(key),
            '\\' => key.push(characters.next().filter(|c| matches!(c, '"' | '\\'))?),
            c if c == ' ' || c.is_ascii_graphic() => key.push(c),
            _ => return None,
        }
    }
}

/// By what a service may know its caller when the host does not.
const CREDENTIALS: [HeaderName; 2] = [header::AUTHORIZATION, header::COOKIE];

/// Whose the answers of a service are.
pub(super) fn owner(service: &str) -> [u8; OWNER] {
    *hash(&[service.as_bytes()])
        .first_chunk()
        .expect("a hash is longer")
}

/// Who asks with a key.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) principal: Option<&'a Principal>,
    /// The headers that the service gets, if any: what it may itself know callers by
    /// keeps them apart, too.
    pub(super) shown: Option<&'a HeaderMap>,
}

/// Where the answer to a key is kept: one place for each caller, route and key. A
/// new revision of the service finds what the old one answered.
pub(super) fn place(
    Asker { principal, shown }: Asker<'_>,
    service: &str,
    route: &Route,
    key: &str,
) -> KeyDigest {
    let issuer = principal.and_then(Principal::issuer);
    let subject = principal.map(|principal| principal.subject.as_str());
    let route = route.key();
    let mut fields = vec![
        subject.map_or(&b"public"[..], |_| b"principal"),
        subject.unwrap_or_default().as_bytes(),
        issuer.unwrap_or_default().as_bytes(),
        service.as_bytes(),
        route.as_bytes(),
        key.as_bytes(),
    ];
    for name in &CREDENTIALS {
        for value in shown.iter().flat_map(|headers| headers.get_all(name)) {
            fields.extend([name.as_str().as_bytes(), value.as_bytes()]);
        }
    }
    let mut place = hash(&fields);
    place[..OWNER].copy_from_slice(&owner(service));
    place
}

/// What a request asks for; two with the same key must ask for the same. `bound` are the
/// headers that are arguments.
pub(super) fn fingerprint(parts: &Parts, body: &[u8], bound: &[HeaderName]) -> KeyDigest {
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let mut fields = vec![parts.method.as_str().as_bytes(), target.as_bytes(), body];
    for name in bound {
        for value in parts.headers.get_all(name) {
            fields.extend([name.as_str().as_bytes(), value.as_bytes()]);
        }
    }
    hash(&fields)
}

/// Lengths keep the fields apart.
fn hash(fields: &[&[u8]]) -> KeyDigest {
    let mut hasher = blake3::Hasher::new();
    for field in fields {
        hasher
            .update(&(field.len() as u64).to_le_bytes())
            .update(field);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn structured_and_bare_keys_are_the_same() {
        assert_eq!(parse("\"8e03-78\"").as_deref(), Some("8e03-78"));
        assert_eq!(parse("8e03-78").as_deref(), Some("8e03-78"));
        assert_eq!(parse(r#""a \"b\" \\""#).as_deref(), Some(r#"a "b" \"#));
        for bad in [
            "",
            "\"\"",
            "a b",
            "a,b",
            "\"a",
            "\"a\"b",
            "\"a\";x=1",
            "a\"",
            r#""\a""#,
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert!(parse(&"k".repeat(255)).is_some());
        assert!(parse(&"k".repeat(256)).is_none());
    }

    proptest! {
        #[test]
        fn a_written_string_is_read_back(key in "[ -~]{1,60}") {
            let written = format!("\"{}\"", key.replace('\\', r"\\").replace('"', "\\\""));
            prop_assert_eq!(parse(&written), Some(key));
        }

        #[test]
        fn fields_do_not_run_into_each_other(a in "[ab]{0,3}", b in "[ab]{0,3}", c in "[ab]{0,3}", d in "[ab]{0,3}") {
            let same = hash(&[a.as_bytes(), b.as_bytes()]) == hash(&[c.as_bytes(), d.as_bytes()]);
            prop_assert_eq!(same, (a, b) == (c, d));
        }
    }
}
