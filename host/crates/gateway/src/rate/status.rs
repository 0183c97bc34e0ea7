//! What a caller is told of its limit: `RateLimit-Policy` and `RateLimit`, as
//! draft-ietf-httpapi-ratelimit-headers has them.

use std::io::Write as _;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use stoa_settings::Rate;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// More than a name of a limit and two numbers need, in bytes.
const LONGEST: usize = 64;

/// How much of a limit a caller has left.
#[derive(Debug, Clone)]
pub(crate) struct RateLimitStatus {
    pub(super) name: &'static str,
    pub(super) policy: HeaderValue,
    /// Requests that may come at once.
    pub(super) remaining: u32,
    /// Until the whole burst is there again; of a caller that has nothing left,
    /// until the next request may come.
    pub(super) reset: Duration,
}

impl RateLimitStatus {
    /// Writes it to a response.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
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

/// The policy of a rate: its burst (`q`) comes back in a window (`w`, in seconds).
pub(super) fn policy(name: &str, rate: &Rate) -> HeaderValue {
    let (quota, window) = (rate.burst(), seconds(rate.refill()).max(1));
    HeaderValue::try_from(format!("\"{name}\";q={quota};w={window}"))
        .expect("names of limits and numbers are printable")
}

/// Whole seconds, rounded up: who waits that long has waited long enough.
pub(crate) fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
