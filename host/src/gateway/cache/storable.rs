//! What may be stored, and for how long, RFC 9111 section 3.
//!
//! What a service says itself (`Cache-Control`, `Expires`) is followed. Where it
//! says nothing, as functions do, the route's `cache` holds for answers that went
//! well.

use std::time::{Duration, SystemTime};

use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use http_cache_semantics::{CacheOptions, CachePolicy};

use super::directives::{Asks, Says};
use super::entry::Lives;
use crate::gateway::respond::Response;
use crate::service::settings::Cache;

/// What is said of an answer that may be stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) lives: Lives,
    /// It may be given to anyone, also to who shows credentials.
    pub(super) anyone: bool,
    /// Request headers that it depends on, beside those that its route names.
    pub(super) vary: Vec<HeaderName>,
}

/// Whether the service itself says how long an answer may be kept.
pub(super) fn speaks(headers: &HeaderMap) -> bool {
    [header::CACHE_CONTROL, header::EXPIRES, header::PRAGMA]
        .iter()
        .any(|name| headers.contains_key(name))
}

/// The terms of an answer; `None` if it must not be stored.
pub(super) fn terms(request: &Parts, response: &Response, rule: &Cache) -> Option<Terms> {
    let headers = response.headers();
    let vary = vary(headers, &rule.vary)?;
    if Asks::of(&request.headers).no_store || headers.contains_key(header::SET_COOKIE) {
        return None;
    }
    let (lives, anyone) = if speaks(headers) {
        own(request, response)?
    } else {
        (by_rule(response, rule)?, false)
    };
    Some(Terms {
        lives,
        anyone,
        vary,
    })
}

fn by_rule(response: &Response, rule: &Cache) -> Option<Lives> {
    // Part of an answer is not kept.
    let whole =
        response.status().is_success() && !response.headers().contains_key(header::CONTENT_RANGE);
    whole.then_some(Lives {
        age: Duration::ZERO,
        fresh: rule.max_age,
        stale_while_revalidate: rule.stale_while_revalidate,
        stale_if_error: rule.stale_if_error,
    })
}

fn own(request: &Parts, response: &Response) -> Option<(Lives, bool)> {
    let options = CacheOptions {
        shared: true,
        // Nothing is kept that nobody asked to be kept.
        cache_heuristic: 0.0,
        ..CacheOptions::default()
    };
    let now = SystemTime::now();
    let policy = CachePolicy::new_options(request, response, now, options);
    let says = Says::of(response.headers());
    let lives = Lives {
        age: policy.age(now),
        fresh: policy.time_to_live(now),
        stale_while_revalidate: says.stale_while_revalidate,
        stale_if_error: says.stale_if_error,
    };
    let good = policy.is_storable() && !lives.fresh.is_zero();
    good.then_some((lives, says.anyone))
}

/// The headers that the answer depends on and its route does not name; `None`
/// for `*`.
fn vary(headers: &HeaderMap, named: &[String]) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    for value in headers.get_all(header::VARY) {
        for name in value.to_str().ok()?.split(',').map(str::trim) {
            if name == "*" {
                return None;
            }
            let lower = name.to_ascii_lowercase();
            if !name.is_empty() && !named.contains(&lower) {
                names.push(HeaderName::try_from(lower).ok()?);
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
    use crate::gateway::respond::GatewayBody;

    fn rule() -> Cache {
        Cache {
            max_age: Duration::from_secs(10),
            vary: vec!["accept".to_owned()],
            ..Cache::default()
        }
    }

    fn assess(request: &[(&str, &str)], status: u16, response: &[(&str, &str)]) -> Option<Terms> {
        let mut asked = http::Request::builder();
        for (name, value) in request {
            asked = asked.header(*name, *value);
        }
        let mut answer = http::Response::builder().status(status);
        for (name, value) in response {
            answer = answer.header(*name, *value);
        }
        let answer = answer.body(GatewayBody::whole("x")).unwrap();
        terms(&asked.body(()).unwrap().into_parts().0, &answer, &rule())
    }

    fn fresh(response: &[(&str, &str)]) -> Option<u64> {
        assess(&[], 200, response).map(|terms| terms.lives.fresh.as_secs())
    }

    #[test]
    fn the_rule_holds_where_the_service_says_nothing() {
        assert_eq!(fresh(&[]), Some(10));
        assert_eq!(assess(&[], 404, &[]), None);
        assert_eq!(assess(&[("cache-control", "no-store")], 200, &[]), None);
        assert_eq!(fresh(&[("set-cookie", "a=b")]), None);
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
            "no-cache",
            "public",
            "max-age=0",
        ] {
            assert_eq!(fresh(&[("cache-control", no)]), None, "{no}");
        }
        let missing = assess(&[], 404, &[("cache-control", "max-age=3")]);
        assert_eq!(missing.unwrap().lives.fresh.as_secs(), 3);
    }

    #[test]
    fn credentials_want_a_word_of_the_service() {
        let credentials = [("authorization", "Bearer x")];
        let with = |response| assess(&credentials, 200, response).map(|terms| terms.anyone);
        assert_eq!(with(&[("cache-control", "max-age=3")]), None);
        assert_eq!(with(&[("cache-control", "public, max-age=3")]), Some(true));
        assert_eq!(with(&[]), Some(false));
    }

    #[test]
    fn further_headers_are_found() {
        let terms = assess(&[], 200, &[("vary", "Accept, X-B"), ("vary", "X-A,x-b")]).unwrap();
        assert_eq!(terms.vary, ["x-a", "x-b"]);
        assert_eq!(fresh(&[("vary", "accept, *")]), None);
    }
}
