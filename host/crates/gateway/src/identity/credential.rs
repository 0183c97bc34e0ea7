//! The credentials that a request's headers carry, before anybody checks them.

use http::HeaderMap;
use http::header::{self, HeaderName};

use super::Denied;
use super::api_keys::PREFIX;

/// `X-API-Key`, for clients that can't set `Authorization`.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a request shows of its sender.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Given<'h> {
    /// What has the form of an API key, and where it was.
    pub(super) key: Option<(&'h str, Carrier)>,
    /// Any other bearer token, of ours or not.
    pub(super) bearer: Option<&'h str>,
    /// What stands where no credential of ours but an API key may: in `X-API-Key`, or in
    /// `Authorization` without a scheme.
    pub(super) misplaced: [Option<&'h str>; 2],
}

/// Where a credential of ours came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// The connection, or nowhere.
    Connection,
    Authorization,
    ApiKey,
}

impl Carrier {
    /// The header that holds the credential.
    pub(super) fn header(self) -> Option<HeaderName> {
        match self {
            Self::Connection => None,
            Self::Authorization => Some(header::AUTHORIZATION),
            Self::ApiKey => Some(X_API_KEY),
        }
    }
}

impl<'h> Given<'h> {
    /// Whether there is more than one credential of a form of ours in its place.
    pub(super) fn is_odd(&self) -> bool {
        self.misplaced.iter().any(Option::is_some) || (self.key.is_some() && self.bearer.is_some())
    }

    /// Reads both headers. A client shows itself in one way, RFC 6750 section 2:
    /// two let it be one caller to the gateway and another to who stands behind.
    pub(super) fn read(headers: &'h HeaderMap) -> Result<Self, Denied> {
        let authorization = one(headers, &header::AUTHORIZATION)?;
        let header = one(headers, &X_API_KEY)?;
        refuse_misplaced(authorization, header)?;
        let bare = authorization
            .map(str::trim)
            .filter(|text| !text.contains(' '));
        let bearer = authorization.and_then(bearer);
        let (key, bearer) = match bearer {
            Some(token) if token.starts_with(PREFIX) => {
                (Some((token, Carrier::Authorization)), None)
            }
            other => (None, other),
        };
        match (key, header) {
            (Some(_), Some(header)) if header.starts_with(PREFIX) => Err(Denied::Ambiguous(
                "expected an API key in Authorization or in X-API-Key, found both",
            )),
            (None, Some(header)) if header.starts_with(PREFIX) => Ok(Self {
                key: Some((header, Carrier::ApiKey)),
                bearer,
                misplaced: [None, bare],
            }),
            (key, other) => Ok(Self {
                key,
                bearer,
                misplaced: [other.map(without_scheme), bare],
            }),
        }
    }
}

/// Refuses a key of ours where it is none: passed on, it would be shown to others.
fn refuse_misplaced(authorization: Option<&str>, header: Option<&str>) -> Result<(), Denied> {
    if authorization.is_some_and(|value| value.trim().starts_with(PREFIX)) {
        return Err(Denied::Invalid(
            "an API key stands after \"Bearer\" in Authorization",
        ));
    }
    let with_scheme = header.and_then(bearer);
    if with_scheme.is_some_and(|token| token.starts_with(PREFIX)) {
        return Err(Denied::Invalid(
            "an API key stands alone in X-API-Key, without \"Bearer\"",
        ));
    }
    Ok(())
}

fn without_scheme(value: &str) -> &str {
    bearer(value).unwrap_or_else(|| value.trim())
}

fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Denied> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Denied::Ambiguous(
            "expected one Authorization and one X-API-Key header at most",
        ));
    }
    Ok(value.to_str().ok())
}

/// The token of a bearer; the scheme's name has no case, RFC 9110 section 11.1. A tab is
/// no separator there, but some who stand behind may take it for one.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once([' ', '\t'])?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn credentials_are_told_apart() {
        let read = |name: HeaderName, value| {
            let headers = headers(&[(name, value)]);
            let given = Given::read(&headers).unwrap();
            let key = given.key.map(|(key, carrier)| (key.to_owned(), carrier));
            (key, given.bearer.map(str::to_owned))
        };
        let key = |carrier| (Some(("stoa_a_b".to_owned(), carrier)), None);
        for value in [
            "Bearer stoa_a_b",
            "bearer  stoa_a_b ",
            "BEARER stoa_a_b",
            "Bearer\tstoa_a_b",
        ] {
            assert_eq!(
                read(header::AUTHORIZATION, value),
                key(Carrier::Authorization)
            );
        }
        assert_eq!(read(X_API_KEY, "stoa_a_b"), key(Carrier::ApiKey));
        assert_eq!(
            read(header::AUTHORIZATION, "Bearer a.b.c"),
            (None, Some("a.b.c".to_owned()))
        );
        for foreign in ["Basic stoa_a_b", "Bearer", "Bearer  ", ""] {
            assert_eq!(
                read(header::AUTHORIZATION, foreign),
                (None, None),
                "{foreign:?}"
            );
        }
        assert_eq!(read(X_API_KEY, "theirs"), (None, None));
    }

    #[test]
    fn a_key_in_the_wrong_form_is_not_passed_on() {
        for (name, value) in [
            (header::AUTHORIZATION, "stoa_a_b"),
            (X_API_KEY, "Bearer stoa_a_b"),
        ] {
            let refused = Given::read(&headers(&[(name, value)])).map(|_| ());
            assert!(matches!(refused, Err(Denied::Invalid(_))), "{value}");
        }
    }

    #[test]
    fn a_caller_shows_itself_in_one_way() {
        let twice = [
            headers(&[
                (header::AUTHORIZATION, "Bearer a"),
                (header::AUTHORIZATION, "Basic b"),
            ]),
            headers(&[(X_API_KEY, "stoa_a_b"), (X_API_KEY, "stoa_c_d")]),
            headers(&[
                (header::AUTHORIZATION, "Bearer stoa_a_b"),
                (X_API_KEY, "stoa_c_d"),
            ]),
        ];
        for headers in &twice {
            assert!(matches!(Given::read(headers), Err(Denied::Ambiguous(_))));
        }
        let foreign = headers(&[(header::AUTHORIZATION, "Basic b"), (X_API_KEY, "stoa_a_b")]);
        assert!(Given::read(&foreign).unwrap().key.is_some());
    }
}
