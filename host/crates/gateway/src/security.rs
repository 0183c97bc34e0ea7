//! Headers that take powers from browsers which an API's answers don't need.
//!
//! What a component says of them itself goes before.

use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};

use stoa_settings::config::SecurityHeaders;

/// The headers, ready to be written.
pub(super) struct Security {
    always: Vec<(HeaderName, HeaderValue)>,
    /// Of answers in JSON, which no page is made of.
    json: Option<HeaderValue>,
    /// Over TLS.
    transport: Option<HeaderValue>,
}

impl Security {
    pub(super) fn new(settings: &SecurityHeaders) -> Self {
        if !settings.on {
            return Self {
                always: Vec::new(),
                json: None,
                transport: None,
            };
        }
        let value = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
        let nosniff = HeaderValue::from_static("nosniff");
        let mut always = vec![(header::X_CONTENT_TYPE_OPTIONS, nosniff)];
        if let Some(referrer) = value(&settings.referrer_policy) {
            always.push((header::REFERRER_POLICY, referrer));
        }
        let transport = settings
            .hsts
            .map(|age| format!("max-age={}", age.as_secs()));
        Self {
            always,
            json: value(&settings.content_security_policy),
            transport: value(&transport),
        }
    }

    /// Adds to a response what it does not say itself.
    pub(super) fn finish(&self, over_tls: bool, headers: &mut HeaderMap) {
        for (name, value) in &self.always {
            add(headers, name, value);
        }
        if let Some(policy) = &self.json
            && headers.get(header::CONTENT_TYPE).is_some_and(is_json)
        {
            add(headers, &header::CONTENT_SECURITY_POLICY, policy);
        }
        if let Some(transport) = &self.transport
            && over_tls
        {
            add(headers, &header::STRICT_TRANSPORT_SECURITY, transport);
        }
    }
}

fn add(headers: &mut HeaderMap, name: &HeaderName, value: &HeaderValue) {
    if let Entry::Vacant(place) = headers.entry(name) {
        place.insert(value.clone());
    }
}

fn is_json(content_type: &HeaderValue) -> bool {
    let bytes = content_type.as_bytes();
    let end = bytes.iter().position(|byte| *byte == b';');
    let essence = bytes[..end.unwrap_or(bytes.len())].trim_ascii_end();
    essence.eq_ignore_ascii_case(b"application/json")
        || (essence.len() >= 5 && essence[essence.len() - 5..].eq_ignore_ascii_case(b"+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(settings: &SecurityHeaders, over_tls: bool, said: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in said {
            let name: HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        Security::new(settings).finish(over_tls, &mut headers);
        headers
    }

    #[test]
    fn answers_in_json_may_do_nothing() {
        let settings = SecurityHeaders::default();
        for json in [
            "application/json",
            "application/problem+json; charset=utf-8",
        ] {
            let headers = finished(&settings, false, &[("content-type", json)]);
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(headers["referrer-policy"], "no-referrer");
            assert_eq!(
                headers["content-security-policy"],
                "default-src 'none'; frame-ancestors 'none'"
            );
            assert!(!headers.contains_key("strict-transport-security"));
        }
        let page = finished(&settings, true, &[("content-type", "text/html")]);
        assert!(!page.contains_key("content-security-policy"));
        assert_eq!(page["strict-transport-security"], "max-age=15552000");
    }

    #[test]
    fn a_component_knows_better_and_an_operator_best() {
        let said = [("referrer-policy", "origin"), ("content-type", "text/html")];
        let headers = finished(&SecurityHeaders::default(), false, &said);
        assert_eq!(headers["referrer-policy"], "origin");
        let off = SecurityHeaders {
            on: false,
            ..SecurityHeaders::default()
        };
        assert_eq!(finished(&off, true, &said).len(), 2);
        let some = SecurityHeaders {
            referrer_policy: None,
            hsts: None,
            ..SecurityHeaders::default()
        };
        let headers = finished(&some, true, &[]);
        assert_eq!(headers.len(), 1, "{headers:?}");
    }
}
