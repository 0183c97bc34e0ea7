//! `Cache-Control` of a request and of a response, RFC 9111 section 5.2 and RFC 5861.

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};

/// Longest time, in seconds: what is longer is as long, RFC 9111 section 1.2.2.
const LONGEST: u64 = 1 << 31;

/// What a client asks of a cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// Nothing of this request or its answer may be stored.
    pub no_store: bool,
    /// The service is to be asked.
    pub no_cache: bool,
    /// The service is not to be asked.
    pub only_if_cached: bool,
    /// The answer may be this old.
    pub max_age: Option<Duration>,
    /// The answer must stay fresh for this long.
    pub min_fresh: Duration,
    /// The answer may have been stale for this long.
    pub max_stale: Option<Duration>,
}

/// What a service says of its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseDirectives {
    /// How long it is fresh, or that it is for one client or none.
    pub lifetime: bool,
    /// `public`, in so many words.
    pub public: bool,
    /// It may be given to anyone, also when the request had credentials. RFC 9111 section
    /// 3.5 would have `must-revalidate` say so, too; who writes that means to be strict.
    pub anyone: bool,
    /// How much longer than fresh it may be served while a new one is fetched.
    pub stale_while_revalidate: Option<Duration>,
    /// How much longer than fresh it may be served when a new one can't be had.
    pub stale_if_error: Option<Duration>,
    /// No client may have it stale.
    pub revalidate: bool,
}

impl RequestDirectives {
    /// Reads a request's headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut asks = Self::default();
        for (name, value) in directives(headers) {
            match name.to_ascii_lowercase().as_str() {
                "no-store" => asks.no_store = true,
                "no-cache" => asks.no_cache = true,
                "only-if-cached" => asks.only_if_cached = true,
                // What can't be read asks for the freshest.
                "max-age" => asks.max_age = Some(seconds(value).unwrap_or_default()),
                "min-fresh" => asks.min_fresh = seconds(value).unwrap_or(Duration::MAX),
                "max-stale" if value.is_none() => asks.max_stale = Some(Duration::MAX),
                "max-stale" => asks.max_stale = seconds(value),
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

impl ResponseDirectives {
    /// Reads a response's headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut says = Self::default();
        let mut never_stale = false;
        for (name, value) in directives(headers) {
            match name.to_ascii_lowercase().as_str() {
                "public" => (says.public, says.anyone) = (true, true),
                "s-maxage" => {
                    (says.lifetime, says.anyone, says.revalidate) = (true, true, true);
                }
                "max-age" | "no-cache" | "no-store" | "private" => says.lifetime = true,
                "must-revalidate" => never_stale = true,
                "proxy-revalidate" => never_stale = true,
                "stale-while-revalidate" => says.stale_while_revalidate = seconds(value),
                "stale-if-error" => says.stale_if_error = seconds(value),
                _ => {}
            }
        }
        if never_stale {
            says.revalidate = true;
            says.stale_while_revalidate = Some(Duration::ZERO);
            says.stale_if_error = Some(Duration::ZERO);
        }
        says
    }
}

/// How old an answer says it is: the first, where it says several, RFC 9111 section 5.1.
pub fn age(headers: &HeaderMap) -> Duration {
    let value = headers.get(header::AGE).and_then(|age| age.to_str().ok());
    let first = value.and_then(|value| value.split(',').next());
    seconds(first.map(str::trim)).unwrap_or_default()
}

/// The directives of an answer, in lower case and with times that can be counted.
pub fn plain(headers: &HeaderMap) -> Option<HeaderValue> {
    let plain = directives(headers).map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        match (value, seconds(value)) {
            (_, Some(time)) => format!("{name}={}", time.as_secs()),
            (Some(value), None) => format!("{name}=\"{value}\""),
            (None, None) => name,
        }
    });
    HeaderValue::try_from(plain.collect::<Vec<_>>().join(", ")).ok()
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
    let digits = value.filter(|value| !value.is_empty())?;
    let all = digits.bytes().all(|byte| byte.is_ascii_digit());
    let time = digits.parse().unwrap_or(LONGEST).min(LONGEST);
    all.then_some(Duration::from_secs(time))
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
        let asks = RequestDirectives::of(&headers(
            header::CACHE_CONTROL,
            &["No-Cache, max-age=5", "only-if-cached"],
        ));
        let expected = RequestDirectives {
            no_cache: true,
            only_if_cached: true,
            max_age: Some(Duration::from_secs(5)),
            ..RequestDirectives::default()
        };
        assert_eq!(asks, expected);
        assert!(RequestDirectives::of(&headers(header::PRAGMA, &["no-cache"])).no_cache);
        let odd = RequestDirectives::of(&headers(header::CACHE_CONTROL, &["max-age=soon"]));
        assert_eq!(odd.max_age, Some(Duration::ZERO));
    }

    #[test]
    fn a_response_that_must_be_revalidated_is_never_stale() {
        let of = |value| ResponseDirectives::of(&headers(header::CACHE_CONTROL, &[value]));
        let says = of("public, stale-if-error=9, stale-while-revalidate=\"3\"");
        assert!(says.anyone && says.public && !says.lifetime);
        assert_eq!(says.stale_if_error, Some(Duration::from_secs(9)));
        assert_eq!(says.stale_while_revalidate, Some(Duration::from_secs(3)));
        let says = of("must-revalidate, stale-if-error=9");
        assert!(says.revalidate && !says.anyone && !says.public);
        assert_eq!(says.stale_if_error, Some(Duration::ZERO));
        let says = of("private, max-age=9");
        assert!(says.lifetime && !says.anyone);
    }

    #[test]
    fn of_several_ages_the_first_counts() {
        for (text, expected) in [("5", 5), ("5, 7", 5), (" 8 ", 8), ("x, 7", 0)] {
            let found = age(&headers(header::AGE, &[text]));
            assert_eq!(found, Duration::from_secs(expected), "{text}");
        }
    }

    #[test]
    fn a_time_without_end_is_a_long_one() {
        let longest = Duration::from_secs(LONGEST);
        let without_end = "9".repeat(30);
        assert_eq!(seconds(Some(&without_end)), Some(longest));
        for none in ["", "-1", "+1", "1.5", "soon"] {
            assert_eq!(seconds(Some(none)), None, "{none}");
        }
        let age = |value: &str| age(&headers(header::AGE, &[value]));
        assert_eq!(
            (age("7"), age(&without_end), age("old")),
            (Duration::from_secs(7), longest, Duration::ZERO)
        );
        let said = format!("Private=\"Set-Cookie\", MAX-AGE={without_end}");
        let plain = plain(&headers(header::CACHE_CONTROL, &[&said, "No-Store"]));
        assert_eq!(
            plain.unwrap(),
            format!("private=\"Set-Cookie\", max-age={LONGEST}, no-store")
        );
    }
}
