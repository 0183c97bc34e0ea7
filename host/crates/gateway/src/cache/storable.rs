//! The rule of a route, for answers that name no time.

use http::request::Parts;

use crate::respond::Response;
pub(super) use stoa_http::cache::storable::speaks;
use stoa_http::cache::storable::{self, Rule, Terms};
use stoa_settings::Cache;

/// The terms of an answer; `None` if it must not be stored.
pub(super) fn terms(request: &Parts, response: &Response, rule: &Cache) -> Option<Terms> {
    let rule = Rule {
        max_age: rule.max_age,
        stale_while_revalidate: rule.stale_while_revalidate,
        stale_if_error: rule.stale_if_error,
        vary: rule.vary.clone(),
    };
    storable::terms(request, response, &rule)
}
