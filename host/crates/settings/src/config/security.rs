//! Security headers of responses.

use std::time::Duration;

/// Which security headers responses get that don't have them yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityHeaders {
    /// Whether they get any.
    pub on: bool,
    /// `Content-Security-Policy` of answers in JSON.
    pub content_security_policy: Option<String>,
    /// `Referrer-Policy` of answers that are not JSON, and of redirects.
    pub referrer_policy: Option<String>,
    /// `max-age` of `Strict-Transport-Security`, over TLS only.
    pub hsts: Option<Duration>,
}

impl Default for SecurityHeaders {
    fn default() -> Self {
        Self {
            on: true,
            // JSON loads nothing and is no page (OWASP, REST security).
            content_security_policy: Some("default-src 'none'; frame-ancestors 'none'".into()),
            // Paths of an API name things that are nobody else's business.
            referrer_policy: Some("no-referrer".into()),
            // Half a year: browsers count it as meant, and it ends in a
            // foreseeable time where it was a mistake.
            hsts: Some(Duration::from_secs(180 * 24 * 3600)),
        }
    }
}
