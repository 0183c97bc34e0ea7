//! Pages of other origins: the CORS protocol of the Fetch standard.
//!
//! A preflight is answered before anybody asks who calls: browsers send it without
//! credentials. What a policy does not allow is not refused but left unsaid: it is
//! the browser that keeps the answer from the page. Where a route has a policy,
//! what its component says of other origins does not count.

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{HeaderName, Method};

use crate::vary::vary;

/// What is said to pages, and what browsers ask: all headers of the protocol's answers.
const ANSWERS: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// What pages of other origins may do, as it is written to responses.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Which pages.
    pub origins: Origins,
    /// `Access-Control-Allow-Methods`; without it the method that was asked for.
    pub methods: Option<HeaderValue>,
    /// `Access-Control-Allow-Headers`.
    pub headers: Option<HeaderValue>,
    /// `Access-Control-Expose-Headers`.
    pub expose: Option<HeaderValue>,
    /// Whether pages may send cookies and the like.
    pub credentials: bool,
    /// How long browsers may keep what they were told, in whole seconds.
    pub max_age: Duration,
}

/// The origins of pages.
#[derive(Debug, Clone)]
pub enum Origins {
    /// Whichever.
    Any,
    /// As browsers write them.
    These(Vec<HeaderValue>),
}

/// The method that a preflight asks for; none if it is another request.
pub fn preflight_for(parts: &Parts) -> Option<Method> {
    if parts.method != Method::OPTIONS || !parts.headers.contains_key(header::ORIGIN) {
        return None;
    }
    let asked = parts.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(asked.as_bytes()).ok()
}

impl Policy {
    /// What a preflight for `method` is told, beside what every response says.
    pub fn preflight(&self, origin: Option<&HeaderValue>, method: &Method) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.allowed(origin).is_none() {
            return headers;
        }
        let methods = self.methods.clone();
        let methods = methods.or_else(|| HeaderValue::try_from(method.as_str()).ok());
        let max_age = HeaderValue::from(self.max_age.as_secs());
        let told = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, methods.as_ref()),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, self.headers.as_ref()),
            (header::ACCESS_CONTROL_MAX_AGE, Some(&max_age)),
        ];
        for (name, value) in told {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        headers
    }

    /// Says in a response to a request of `origin` whether its page may read it.
    pub fn finish(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if let Origins::These(_) = self.origins {
            vary(headers, &header::ORIGIN);
        }
        let Some(allowed) = self.allowed(origin) else {
            return;
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        if let Some(expose) = &self.expose {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
    }

    /// Whether a page may open a WebSocket: no browser keeps from it what it then reads.
    /// Its own origin may, and who says none is no page.
    pub fn admits(&self, origin: Option<&HeaderValue>, parts: &Parts) -> bool {
        let Some(named) = origin else {
            return true;
        };
        let host = parts.headers.get(header::HOST).map(HeaderValue::as_bytes);
        let host = host.or_else(|| Some(parts.uri.authority()?.as_str().as_bytes()));
        let text = named.to_str().unwrap_or_default();
        let own = text.split_once("://").map(|(_, name)| name.as_bytes());
        let is_own = own
            .zip(host)
            .is_some_and(|(own, host)| own.eq_ignore_ascii_case(host));
        is_own || self.allowed(origin).is_some()
    }

    /// Takes out what a component says of other origins.
    pub fn silence(headers: &mut HeaderMap) {
        for name in ANSWERS {
            headers.remove(name);
        }
    }

    /// The origin that is told that it may.
    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        match &self.origins {
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::These(origins) => origin.filter(|origin| origins.contains(origin)).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: &[&str]) -> Policy {
        let listed = || origins.iter().map(|origin| origin.parse().unwrap());
        Policy {
            origins: match origins {
                ["*"] => Origins::Any,
                _ => Origins::These(listed().collect()),
            },
            methods: None,
            headers: None,
            expose: Some(HeaderValue::from_static("etag")),
            credentials: false,
            max_age: Duration::from_secs(600),
        }
    }

    fn finished(policy: &Policy, origin: Option<&str>) -> HeaderMap {
        let origin = origin.map(|origin| origin.parse().unwrap());
        let mut headers = HeaderMap::new();
        policy.finish(origin.as_ref(), &mut headers);
        headers
    }

    #[test]
    fn listed_origins_are_echoed_and_others_hear_nothing() {
        let policy = policy(&["https://a.example", "http://localhost:3000"]);
        let allowed = finished(&policy, Some("http://localhost:3000"));
        assert_eq!(
            allowed["access-control-allow-origin"],
            "http://localhost:3000"
        );
        assert_eq!(allowed["vary"], "origin");
        assert!(allowed.contains_key("access-control-expose-headers"));
        assert!(!allowed.contains_key("access-control-allow-credentials"));
        for stranger in [
            Some("https://a.example.evil"),
            Some("http://a.example"),
            Some("https://A.example"),
            Some("null"),
            None,
        ] {
            let headers = finished(&policy, stranger);
            assert_eq!(headers.len(), 1, "{headers:?}");
            assert_eq!(headers["vary"], "origin");
        }
    }

    #[test]
    fn any_origin_does_not_vary() {
        let headers = finished(&policy(&["*"]), Some("https://b.example"));
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert!(!headers.contains_key("vary"));
    }

    #[test]
    fn a_websocket_is_for_listed_pages_the_hosts_own_and_what_is_no_page() {
        let admits = |origins: &[&str], origin: Option<&str>| {
            let request = http::Request::get("/").header("host", "Shop.example:8443");
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let origin = origin.map(|origin| origin.parse().unwrap());
            policy(origins).admits(origin.as_ref(), &parts)
        };
        let listed = ["https://a.example"];
        assert!(admits(&listed, Some("https://a.example")));
        assert!(admits(&listed, Some("https://shop.example:8443")));
        assert!(admits(&listed, None));
        assert!(!admits(&listed, Some("https://shop.example")));
        assert!(!admits(&listed, Some("null")));
        assert!(admits(&["*"], Some("https://b.example")));
    }

    #[test]
    fn a_preflight_names_the_method_that_was_asked_for_or_the_listed_ones() {
        let origin: HeaderValue = "https://a.example".parse().unwrap();
        let mut policy = policy(&["https://a.example"]);
        let told = policy.preflight(Some(&origin), &Method::PATCH);
        assert_eq!(told["access-control-allow-methods"], "PATCH");
        assert_eq!(told["access-control-max-age"], "600");
        policy.methods = Some(HeaderValue::from_static("GET, PUT"));
        let told = policy.preflight(Some(&origin), &Method::PATCH);
        assert_eq!(told["access-control-allow-methods"], "GET, PUT");
        let stranger: HeaderValue = "https://b.example".parse().unwrap();
        assert!(policy.preflight(Some(&stranger), &Method::PATCH).is_empty());
    }
}
