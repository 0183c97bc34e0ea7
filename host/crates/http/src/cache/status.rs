//! What a cache did with a request: `Cache-Status`, RFC 9211, and `Age`.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::entry::Entry;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// A cache, by its name in the header.
#[derive(Debug, Clone, Copy)]
pub struct CacheStatus(pub &'static str);

/// Why the service was asked, RFC 9211 section 2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardReason {
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

impl ForwardReason {
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

impl CacheStatus {
    /// Marks an answer of the service: why that was asked, and whether the answer is
    /// `stored` now.
    pub fn forwarded(self, headers: &mut HeaderMap, why: ForwardReason, stored: bool) {
        let stored = if stored { "; stored" } else { "" };
        put(headers, format!("{}; {}{stored}", self.0, why.text()));
    }

    /// Marks an answer of the cache; the service may have been asked all the same.
    pub fn served(self, headers: &mut HeaderMap, entry: &Entry, why: Option<ForwardReason>) {
        let (name, now) = (self.0, Instant::now());
        headers.insert(header::AGE, HeaderValue::from(entry.age(now).as_secs()));
        let fresh_for = entry.fresh_for(now);
        let status = match why {
            None if !fresh_for.is_zero() => format!("{name}; hit; ttl={}", fresh_for.as_secs()),
            // Served stale: a hit, though the service is asked or was, or its client did
            // not mind.
            None | Some(ForwardReason::Stale) => format!("{name}; hit; ttl=0; detail=stale"),
            Some(why) => format!("{name}; {}", why.text()),
        };
        put(headers, status);
    }
}

fn put(headers: &mut HeaderMap, status: String) {
    if let Ok(status) = HeaderValue::try_from(status) {
        headers.append(CACHE_STATUS, status);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cache::entry::Lives;

    #[tokio::test(start_paused = true)]
    async fn an_answer_tells_what_the_cache_did() {
        let entry = Entry {
            status: http::StatusCode::OK,
            headers: HeaderMap::new(),
            body: bytes::Bytes::new(),
            service: "a".into(),
            tags: Vec::new(),
            anyone: true,
            key: [0; 32],
            vary: Vec::new(),
            lives: Lives {
                fresh: Duration::from_secs(10),
                ..Lives::default()
            },
            stored: Instant::now(),
        };
        let cache = CacheStatus("cache");
        let served = |why| {
            let mut headers = HeaderMap::new();
            cache.served(&mut headers, &entry, why);
            let text = |name: HeaderName| headers[name].to_str().unwrap().to_owned();
            (text(header::AGE), text(CACHE_STATUS))
        };
        let told = |age: &str, status: &str| (age.to_owned(), status.to_owned());
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(served(None), told("3", "cache; hit; ttl=7"));
        let why = Some(ForwardReason::Collapsed);
        assert_eq!(served(why), told("3", "cache; fwd=uri-miss; collapsed"));
        tokio::time::advance(Duration::from_secs(8)).await;
        assert_eq!(served(None), told("11", "cache; hit; ttl=0; detail=stale"));
        let mut headers = HeaderMap::new();
        cache.forwarded(&mut headers, ForwardReason::UriMiss, true);
        assert_eq!(headers[CACHE_STATUS], "cache; fwd=uri-miss; stored");
    }
}
