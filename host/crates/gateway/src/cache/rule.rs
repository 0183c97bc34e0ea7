//! What a route's settings say of its cache, ready to be written.

use std::fmt::Write as _;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::tags::{RouteTags, Tags};
use stoa_http::cache::storable::{Defaults, speaks};
use stoa_settings::{Access, Cache, Route};

/// The cache of a route.
pub(crate) struct Rule {
    /// For answers that name no time, and what all of them depend on.
    pub(super) defaults: Defaults,
    /// What its answers can be purged by.
    pub(super) tags: RouteTags,
    told: Option<CacheControl>,
}

/// What clients are told of how long they may keep an answer.
struct CacheControl {
    usual: HeaderValue,
    /// Where the request shows who asks.
    personal: HeaderValue,
    /// Beside what the service says without a time.
    age: HeaderValue,
}

impl Rule {
    /// `None` of a route without a cache.
    pub(crate) fn of(route: &Route, service: &Arc<str>, tags: &Tags) -> Option<Self> {
        let settings = route.cache.as_ref()?;
        let vary = settings.vary.iter();
        let mut vary: Vec<HeaderName> = vary.filter_map(|name| name.parse().ok()).collect();
        // An answer depends on its arguments.
        for name in route.bound_headers() {
            if !vary.contains(&name) {
                vary.push(name);
            }
        }
        Some(Self {
            told: cache_control(settings, &route.access),
            defaults: Defaults {
                max_age: settings.max_age,
                stale_while_revalidate: settings.stale_while_revalidate,
                stale_if_error: settings.stale_if_error,
                vary,
            },
            tags: tags.of_route(service, &settings.tags),
        })
    }

    /// Whether a service that sees these headers may know its client by a cookie. A route
    /// that names cookies among what its answers differ by keeps them apart itself.
    pub(super) fn is_known_by_cookie(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(header::COOKIE) && !self.defaults.vary.contains(&header::COOKIE)
    }

    /// Adds to an answer what the route says, and the service does not.
    pub(super) fn write(&self, success: bool, personal: bool, headers: &mut HeaderMap) {
        if let Some(told) = &self.told
            && success
            && !speaks(headers)
        {
            let value = if headers.contains_key(header::CACHE_CONTROL) {
                &told.age
            } else if personal {
                &told.personal
            } else {
                &told.usual
            };
            headers.append(header::CACHE_CONTROL, value.clone());
        }
        for name in &self.defaults.vary {
            headers.append(header::VARY, HeaderValue::from_name(name.clone()));
        }
    }
}

fn cache_control(cache: &Cache, access: &Access) -> Option<CacheControl> {
    let mut age = format!("max-age={}", cache.max_age.as_secs());
    let alone = HeaderValue::try_from(&*age).ok()?;
    let stale = [
        ("stale-while-revalidate", cache.stale_while_revalidate),
        ("stale-if-error", cache.stale_if_error),
    ];
    for (name, time) in stale.iter().filter(|(_, time)| !time.is_zero()) {
        let _ = write!(age, ", {name}={}", time.as_secs());
    }
    let usual = match access {
        Access::Public => "public",
        Access::Authenticated | Access::Scope(_) => "private",
    };
    Some(CacheControl {
        usual: HeaderValue::try_from(format!("{usual}, {age}")).ok()?,
        personal: HeaderValue::try_from(format!("private, {age}")).ok()?,
        age: alone,
    })
}
