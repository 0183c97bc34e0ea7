//! `Cache-Control` of a request and of a response, RFC 9111 section 5.2 and RFC 5861.

use std::time::Duration;

use http::HeaderMap;
use http::header;

/// What a client asks of a cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asks {
    /// Nothing of this request or its answer may be stored.
    pub(super) no_store: bool,
    /// The service is to be asked.
    pub(super) no_cache: bool,
    /// The service is not to be asked.
    pub(super) only_if_cached: bool,
    /// The answer may be this old.
    pub(super) max_age: Option<Duration>,
    /// The answer must stay fresh for this long.
    pub(super) min_fresh: Duration,
}

/// What a service says of its answer beyond how long it is fresh.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Says {
    /// It may be given to anyone, also when the request had credentials, RFC 9111
    /// section 3.5.
    pub(super) anyone: bool,
    pub(super) stale_while_revalidate: Duration,
    pub(super) stale_if_error: Duration,
}

impl Asks {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut asks = Self::default();
        for (name, value) in directives(headers) {
            match name.to_ascii_lowercase().as_str() {
                "no-store" => asks.no_store = true,
                "no-cache" => asks.no_cache = true,
                "only-if-cached" => asks.only_if_cached = true,
                // What can't be read asks for the freshest.
                "max-age" => asks.max_age = Some(seconds(value).unwrap_or_default()),
                "min-fresh" => asks.min_fresh = seconds(value).unwrap_or(Duration::MAX),
                _ => {}
            }
        }
        let old = headers
            .get(header::PRAGMA)
            .filter(|_| !headers.contains_key(header::CACHE_CONTROL));
        asks.no_cache |=
            old.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"no-cache"));
        asks
    }
}

impl Says {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut says = Self::default();
        let mut revalidate = false;
        for (name, value) in directives(headers) {
            match name.to_ascii_lowercase().as_str() {
                "public" | "s-maxage" => says.anyone = true,
                "must-revalidate" | "proxy-revalidate" => {
                    says.anyone |= name.eq_ignore_ascii_case("must-revalidate");
                    revalidate = true;
                }
                "stale-while-revalidate" => {
                    says.stale_while_revalidate = seconds(value).unwrap_or_default();
                }
                "stale-if-error" => says.stale_if_error = seconds(value).unwrap_or_default(),
                _ => {}
            }
        }
        if revalidate {
            (says.stale_while_revalidate, says.stale_if_error) = Default::default();
        }
        says
    }
}

/// Names and values; a comma within quotes is not expected in any that matters.
fn directives(headers: &HeaderMap) -> impl Iterator<Item = (&str, Option<&str>)> {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| match directive.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (directive.trim(), None),
        })
}

fn seconds(value: Option<&str>) -> Option<Duration> {
    value?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        let values = values
            .iter()
            .map(|value| (name.clone(), value.parse().unwrap()));
        values.collect()
    }

    #[test]
    fn a_request_is_read() {
        let asks = Asks::of(&headers(
            header::CACHE_CONTROL,
            &["No-Cache, max-age=5", "only-if-cached"],
        ));
        let expected = Asks {
            no_cache: true,
            only_if_cached: true,
            max_age: Some(Duration::from_secs(5)),
            ..Asks::default()
        };
        assert_eq!(asks, expected);
        assert!(Asks::of(&headers(header::PRAGMA, &["no-cache"])).no_cache);
        let odd = Asks::of(&headers(header::CACHE_CONTROL, &["max-age=soon"]));
        assert_eq!(odd.max_age, Some(Duration::ZERO));
    }

    #[test]
    fn a_response_that_must_be_revalidated_is_never_stale() {
        let of = |value| Says::of(&headers(header::CACHE_CONTROL, &[value]));
        let says = of("public, stale-if-error=9, stale-while-revalidate=\"3\"");
        assert!(says.anyone);
        assert_eq!(says.stale_if_error, Duration::from_secs(9));
        assert_eq!(says.stale_while_revalidate, Duration::from_secs(3));
        let says = of("must-revalidate, stale-if-error=9");
        assert_eq!((says.anyone, says.stale_if_error), (true, Duration::ZERO));
        assert_eq!(of("private, max-age=9"), Says::default());
    }
}
