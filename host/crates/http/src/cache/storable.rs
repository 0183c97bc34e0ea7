//! What may be stored, and for how long, RFC 9111 section 3.
//!
//! What a service says itself (`Cache-Control`, `Expires`) is followed. Where it
//! names no time, defaults hold for answers that went well.

use std::time::{Duration, SystemTime};

use http::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http_cache_semantics::{CacheOptions, CachePolicy};

use super::directives::{self, RequestDirectives, ResponseDirectives};
use super::entry::Lives;

/// What holds for answers of which their service names no time.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// How long they are fresh.
    pub max_age: Duration,
    /// How much longer than fresh they are served while a new one is fetched.
    pub stale_while_revalidate: Duration,
    /// How much longer than fresh they are served when a new one can't be had.
    pub stale_if_error: Duration,
    /// Request headers that all answers differ by.
    pub vary: Vec<HeaderName>,
}

/// What is said of an answer that may be stored.
#[derive(Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long it is good.
    pub lives: Lives,
    /// It may be given to anyone, also to who shows credentials.
    pub anyone: bool,
    /// Request headers that it depends on, beside those of the defaults.
    pub vary: Vec<HeaderName>,
}

/// Whether the service itself says how long an answer may be kept.
pub fn speaks(headers: &HeaderMap) -> bool {
    let other = [header::EXPIRES, header::PRAGMA];
    other.iter().any(|name| headers.contains_key(name)) || ResponseDirectives::of(headers).lifetime
}

/// The terms of an answer; `None` if it must not be stored.
pub fn terms<B>(request: &Parts, response: &Response<B>, defaults: &Defaults) -> Option<Terms> {
    let headers = response.headers();
    let vary = vary(headers, &defaults.vary)?;
    if RequestDirectives::of(&request.headers).no_store || headers.contains_key(header::SET_COOKIE)
    {
        return None;
    }
    let says = ResponseDirectives::of(headers);
    let (lives, anyone) = if speaks(headers) {
        (own(request, response, &says)?, says.anyone)
    } else {
        (by_default(response, defaults, &says)?, says.public)
    };
    Some(Terms {
        lives,
        anyone,
        vary,
    })
}

fn by_default<B>(
    response: &Response<B>,
    defaults: &Defaults,
    says: &ResponseDirectives,
) -> Option<Lives> {
    // Part of an answer is not kept.
    let whole =
        response.status().is_success() && !response.headers().contains_key(header::CONTENT_RANGE);
    let age = directives::age(response.headers());
    // One that was stale when it came has used up some of its time beyond that.
    let stale = age.saturating_sub(defaults.max_age);
    let refresh = says.stale_while_revalidate;
    let refresh = refresh.unwrap_or(defaults.stale_while_revalidate);
    let error = says.stale_if_error.unwrap_or(defaults.stale_if_error);
    whole.then_some(Lives {
        age,
        fresh: defaults.max_age.saturating_sub(age),
        stale_while_revalidate: refresh.saturating_sub(stale),
        stale_if_error: error.saturating_sub(stale),
        revalidate: says.revalidate,
    })
}

fn own<B>(request: &Parts, response: &Response<B>, says: &ResponseDirectives) -> Option<Lives> {
    let options = CacheOptions {
        shared: true,
        // Nothing is kept that nobody asked to be kept.
        cache_heuristic: 0.0,
        ..CacheOptions::default()
    };
    let now = SystemTime::now();
    let age = directives::age(response.headers());
    let policy = CachePolicy::new_options(request, &plain(response, age), now, options);
    let lives = Lives {
        age,
        fresh: policy.time_to_live(now),
        stale_while_revalidate: says.stale_while_revalidate.unwrap_or_default(),
        stale_if_error: says.stale_if_error.unwrap_or_default(),
        revalidate: says.revalidate,
    };
    let good = policy.is_storable() && !lives.fresh.is_zero();
    good.then_some(lives)
}

/// The head of an answer as the policy can read it: it knows no directive in capitals,
/// and no number that is longer than its own.
fn plain<B>(response: &Response<B>, age: Duration) -> Response<()> {
    let mut plain = Response::new(());
    *plain.status_mut() = response.status();
    *plain.headers_mut() = response.headers().clone();
    let headers = plain.headers_mut();
    headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
    if headers.contains_key(header::CACHE_CONTROL)
        && let Some(control) = directives::plain(response.headers())
    {
        headers.insert(header::CACHE_CONTROL, control);
    }
    plain
}

/// The headers that the answer depends on and the defaults don't name; `None`
/// for `*`.
fn vary(headers: &HeaderMap, named: &[HeaderName]) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    for value in headers.get_all(header::VARY) {
        for name in value.to_str().ok()?.split(',').map(str::trim) {
            if name == "*" {
                return None;
            }
            if name.is_empty() {
                continue;
            }
            let name = HeaderName::try_from(name).ok()?;
            if !named.contains(&name) {
                names.push(name);
            }
        }
    }
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Defaults {
        Defaults {
            max_age: Duration::from_secs(10),
            stale_if_error: Duration::from_secs(60),
            vary: vec![header::ACCEPT],
            ..Defaults::default()
        }
    }

    fn assess(request: &[(&str, &str)], status: u16, response: &[(&str, &str)]) -> Option<Terms> {
        let mut asked = http::Request::builder();
        for (name, value) in request {
            asked = asked.header(*name, *value);
        }
        let mut answer = Response::builder().status(status);
        for (name, value) in response {
            answer = answer.header(*name, *value);
        }
        let answer = answer.body("x").unwrap();
        terms(
            &asked.body(()).unwrap().into_parts().0,
            &answer,
            &defaults(),
        )
    }

    fn fresh(response: &[(&str, &str)]) -> Option<u64> {
        assess(&[], 200, response).map(|terms| terms.lives.fresh.as_secs())
    }

    #[test]
    fn the_defaults_hold_where_the_service_says_nothing() {
        assert_eq!(fresh(&[]), Some(10));
        assert_eq!(assess(&[], 404, &[]), None);
        assert_eq!(assess(&[("cache-control", "no-store")], 200, &[]), None);
        assert_eq!(fresh(&[("set-cookie", "a=b")]), None);
        // Nor in words that are of no time.
        for word in ["public", "no-transform", "must-revalidate"] {
            assert_eq!(fresh(&[("cache-control", word)]), Some(10), "{word}");
        }
        assert_eq!(assess(&[], 404, &[("cache-control", "public")]), None);
    }

    #[test]
    fn an_answer_that_comes_old_has_less_time_left() {
        let lives = |age| assess(&[], 200, &[("age", age)]).unwrap().lives;
        let seconds = Duration::from_secs;
        let two = lives("2");
        assert_eq!((two.age, two.fresh), (seconds(2), seconds(8)));
        assert_eq!(two.stale_if_error, seconds(60));
        let thirty = lives("30");
        assert_eq!((thirty.age, thirty.fresh), (seconds(30), seconds(0)));
        assert_eq!(thirty.stale_if_error, seconds(40));
    }

    #[test]
    fn what_the_service_says_is_followed() {
        assert_eq!(fresh(&[("cache-control", "max-age=3")]), Some(3));
        assert_eq!(
            fresh(&[("cache-control", "max-age=3, s-maxage=5")]),
            Some(5)
        );
        assert_eq!(
            fresh(&[("cache-control", "max-age=9"), ("age", "4")]),
            Some(5)
        );
        for no in [
            "no-store",
            "private, max-age=9",
            "Private, max-age=9",
            "no-cache",
            "max-age=0",
            "max-age=soon",
        ] {
            assert_eq!(fresh(&[("cache-control", no)]), None, "{no}");
        }
        let without_end = [("cache-control", "max-age=99999999999999999999")];
        assert_eq!(fresh(&without_end), Some(1 << 31));
        let oldest = [without_end[0], ("age", "18446744073709551615")];
        assert_eq!(fresh(&oldest), None);
        let missing = assess(&[], 404, &[("cache-control", "max-age=3")]);
        assert_eq!(missing.unwrap().lives.fresh.as_secs(), 3);
    }

    #[test]
    fn credentials_want_a_word_of_the_service() {
        let credentials = [("authorization", "Bearer x")];
        let with = |response| assess(&credentials, 200, response).map(|terms| terms.anyone);
        assert_eq!(with(&[("cache-control", "max-age=3")]), None);
        assert_eq!(with(&[("cache-control", "public, max-age=3")]), Some(true));
        assert_eq!(with(&[("cache-control", "public")]), Some(true));
        assert_eq!(with(&[]), Some(false));
    }

    #[test]
    fn further_headers_are_found() {
        let terms = assess(&[], 200, &[("vary", "Accept, X-B"), ("vary", "X-A,x-b")]).unwrap();
        assert_eq!(terms.vary, ["x-a", "x-b"]);
        assert_eq!(fresh(&[("vary", "accept, *")]), None);
    }
}
