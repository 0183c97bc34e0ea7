//! The id of a request.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderValue;
use uuid::fmt::Hyphenated;
use uuid::{Builder, Uuid};

use crate::wall;

/// A request's id: the client's own, or one that the host made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Form);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Form {
    /// Written only where someone looks: making one allocates nothing.
    Made(Uuid),
    Given(Arc<str>),
}

impl RequestId {
    /// Longest id taken from a client, in bytes. Twice what tracing systems use.
    pub const MAX: usize = 128;

    /// A new id, for what begins `now`; later ones sort after earlier ones.
    pub fn new(now: Instant) -> Self {
        let since_epoch = wall::at(now);
        let millis = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        // Unique, not secret: a system call for each would cost more than the rest.
        let mut random = [0; 10];
        fastrand::fill(&mut random);
        Self(Form::Made(
            Builder::from_unix_timestamp_millis(millis, &random).into_uuid(),
        ))
    }

    /// A client's id, if it is one to repeat in logs and headers: 1 to
    /// [`Self::MAX`] visible ASCII characters.
    pub fn parse(header: &str) -> Option<Self> {
        let fits = (1..=Self::MAX).contains(&header.len());
        (fits && header.bytes().all(|byte| byte.is_ascii_graphic()))
            .then(|| Self(Form::Given(header.into())))
    }
}

impl RequestId {
    /// The value of a header.
    pub fn to_header(&self) -> Option<HeaderValue> {
        match &self.0 {
            Form::Made(id) => {
                let mut text = [0; Hyphenated::LENGTH];
                HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).ok()
            }
            Form::Given(id) => HeaderValue::from_str(id).ok(),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Made(id) => id.fmt(f),
            Form::Given(id) => f.write_str(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_fit_for_a_log_line_are_taken() {
        let long = "x".repeat(RequestId::MAX);
        for good in ["a", "018f-AB_c.~", &long] {
            assert_eq!(RequestId::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", "a b", "a\n", "\u{e9}", &format!("{long}x")] {
            assert_eq!(RequestId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn made_ids_differ_and_can_be_given_back() {
        let id = RequestId::new(Instant::now());
        assert_ne!(id, RequestId::new(Instant::now()));
        assert_eq!(
            RequestId::parse(&id.to_string()).unwrap().to_string(),
            id.to_string()
        );
    }
}
