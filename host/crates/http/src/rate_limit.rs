//! What a caller is told of its limit: `RateLimit-Policy` and `RateLimit`, as
//! draft-ietf-httpapi-ratelimit-headers has them.

use std::io::Write as _;
use std::num::NonZeroU32;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// More than a name of a limit and two numbers need, in bytes.
const LONGEST: usize = 64;

/// How much of a limit a caller has left.
#[derive(Debug, Clone)]
pub struct RateLimitStatus {
    /// Of the limit.
    pub name: &'static str,
    /// See [`policy`].
    pub policy: HeaderValue,
    /// Requests that may come at once.
    pub remaining: u32,
    /// Until the whole burst is there again; of a caller that has nothing left,
    /// until the next request may come.
    pub reset: Duration,
}

impl RateLimitStatus {
    /// Writes it to a response.
    pub fn write(&self, headers: &mut HeaderMap) {
        let (name, remaining, reset) = (self.name, self.remaining, seconds(self.reset));
        let mut text = [0; LONGEST];
        let mut rest = &mut text[..];
        let written = write!(rest, "\"{name}\";r={remaining};t={reset}");
        let length = LONGEST - rest.len();
        if let (Ok(()), Ok(limit)) = (written, HeaderValue::from_bytes(&text[..length])) {
            headers.insert(LIMIT, limit);
            headers.insert(POLICY, self.policy.clone());
        }
    }
}

/// What is told of a limit itself: `quota` requests may come at once, and all of them again
/// after `window`.
pub fn policy(name: &'static str, quota: NonZeroU32, window: Duration) -> HeaderValue {
    let window = seconds(window).max(1);
    HeaderValue::try_from(format!("\"{name}\";q={quota};w={window}"))
        .expect("names of limits and numbers are printable")
}

/// Whole seconds, rounded up: who waits that long has waited long enough.
pub fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
