//! What the cache did with a request: `Cache-Status`, RFC 9211, and `Age`.

use std::time::Duration;

use http::header::{self, HeaderName, HeaderValue};

use crate::respond::Response;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why the service was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forwarded {
    /// The request is none that the cache is for.
    Bypass,
    /// Only GET is stored.
    Method,
    /// Nothing was stored.
    UriMiss,
    /// Nothing was stored for the request's headers.
    VaryMiss,
    /// What was stored had been fresh.
    Stale,
    /// The client wanted it.
    Request,
    /// Nothing was stored, and another had asked already.
    Collapsed,
}

impl Forwarded {
    fn text(self) -> &'static str {
        match self {
            Self::Bypass => "fwd=bypass",
            Self::Method => "fwd=method",
            Self::UriMiss => "fwd=uri-miss",
            Self::VaryMiss => "fwd=vary-miss",
            Self::Stale => "fwd=stale",
            Self::Request => "fwd=request",
            Self::Collapsed => "fwd=uri-miss; collapsed",
        }
    }
}

/// Marks an answer of the service.
pub(super) fn forwarded(response: &mut Response, why: Forwarded, stored: bool) {
    let stored = if stored { "; stored" } else { "" };
    put(response, format!("stoa; {}{stored}", why.text()));
}

/// Marks an answer of the cache.
pub(super) fn stored(
    response: &mut Response,
    age: Duration,
    fresh_for: Duration,
    forwarded: Option<Forwarded>,
) {
    response
        .headers_mut()
        .insert(header::AGE, HeaderValue::from(age.as_secs()));
    let status = match forwarded {
        None if !fresh_for.is_zero() => format!("stoa; hit; ttl={}", fresh_for.as_secs()),
        // Served stale: a hit, though the service is asked or was, or its client did
        // not mind.
        None | Some(Forwarded::Stale) => "stoa; hit; ttl=0; detail=stale".to_owned(),
        Some(why) => format!("stoa; {}", why.text()),
    };
    put(response, status);
}

fn put(response: &mut Response, status: String) {
    if let Ok(status) = HeaderValue::try_from(status) {
        response.headers_mut().append(CACHE_STATUS, status);
    }
}
