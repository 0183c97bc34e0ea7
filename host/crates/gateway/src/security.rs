//! Headers that take powers from browsers which an API's answers don't need.
//!
//! What a component says of them itself goes before.

use http::Response;
use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};

use stoa_settings::config::SecurityHeaders;

/// The headers, ready to be written: those that a browser would act on.
pub(super) struct Security {
    sniffing: Option<HeaderValue>,
    /// Of answers in JSON, which no page is made of.
    json: Option<HeaderValue>,
    /// Of others: what is JSON has no links that it could be sent along with.
    referrer: Option<HeaderValue>,
    /// Over TLS.
    transport: Option<HeaderValue>,
}

impl Security {
    pub(super) fn new(settings: &SecurityHeaders) -> Self {
        if !settings.on {
            return Self {
                sniffing: None,
                json: None,
                referrer: None,
                transport: None,
            };
        }
        let value = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
        let transport = settings
            .hsts
            .map(|age| format!("max-age={}", age.as_secs()));
        Self {
            sniffing: Some(HeaderValue::from_static("nosniff")),
            json: value(&settings.content_security_policy),
            referrer: value(&settings.referrer_policy),
            transport: value(&transport),
        }
    }

    /// Adds to a response what it does not say itself.
    pub(super) fn finish<B>(&self, over_tls: bool, response: &mut Response<B>) {
        let status = response.status();
        let headers = response.headers_mut();
        let json = headers.get(header::CONTENT_TYPE).is_some_and(is_json);
        if json {
            add(headers, header::CONTENT_SECURITY_POLICY, &self.json);
        }
        // Browsers follow a redirect by it, whatever its type. What was not modified has
        // that of what they have.
        if status.as_u16() != 304 && (!json || status.is_redirection()) {
            add(headers, header::REFERRER_POLICY, &self.referrer);
        }
        add(headers, header::X_CONTENT_TYPE_OPTIONS, &self.sniffing);
        if over_tls {
            add(headers, header::STRICT_TRANSPORT_SECURITY, &self.transport);
        }
    }
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &Option<HeaderValue>) {
    if let Some(value) = value
        && let Entry::Vacant(place) = headers.entry(name)
    {
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
        of_status(200, settings, over_tls, said)
    }

    fn of_status(
        status: u16,
        settings: &SecurityHeaders,
        over_tls: bool,
        said: &[(&str, &str)],
    ) -> HeaderMap {
        let mut response = Response::builder().status(status).body(()).unwrap();
        for (name, value) in said {
            let name: HeaderName = name.parse().unwrap();
            let headers = response.headers_mut();
            headers.insert(name, value.parse().unwrap());
        }
        Security::new(settings).finish(over_tls, &mut response);
        response.into_parts().0.headers
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
            assert!(!headers.contains_key("referrer-policy"));
            assert_eq!(
                headers["content-security-policy"],
                "default-src 'none'; frame-ancestors 'none'"
            );
            assert!(!headers.contains_key("strict-transport-security"));
        }
        let page = finished(&settings, true, &[("content-type", "text/html")]);
        assert!(!page.contains_key("content-security-policy"));
        assert_eq!(page["referrer-policy"], "no-referrer");
        assert_eq!(page["strict-transport-security"], "max-age=15552000");
    }

    #[test]
    fn a_redirect_has_a_referrer_of_any_type() {
        let said = [("content-type", "application/json"), ("location", "/")];
        let headers = of_status(302, &SecurityHeaders::default(), false, &said);
        assert_eq!(headers["referrer-policy"], "no-referrer");
        let unchanged = of_status(304, &SecurityHeaders::default(), false, &[]);
        assert!(!unchanged.contains_key("referrer-policy"));
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
