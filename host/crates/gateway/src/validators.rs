//! Entity tags of answers, RFC 9110 section 8.8.3, and answers that are none because of them.
//!
//! An answer of a function to GET or HEAD always has a strong tag: its `version`,
//! else a hash of its body. A client that has that answer already gets 304; one that
//! wants another gets 412. A component that sees the request's headers judges
//! `If-Match` itself, and so does every write.

use std::sync::Arc;

use http::Method;
use http::header;

use super::endpoint::Endpoint;
use super::exchange::Exchange;
use super::respond::{self, Refusal, Response};
use stoa_http::conditions::{Conditions, Current, Outcome};
pub(super) use stoa_http::validators::{of_not_modified, tag};

/// Which answer a client has already, and which it wants.
#[derive(Debug, Default)]
pub(super) struct Condition {
    reads: bool,
    conditions: Option<Arc<Conditions>>,
}

impl Condition {
    /// What a GET or HEAD says.
    pub(super) fn of(exchange: &Exchange, endpoint: &Endpoint) -> Self {
        if !matches!(exchange.head.method, Method::GET | Method::HEAD) {
            return Self::default();
        }
        let mut conditions = exchange.conditions.clone();
        if endpoint.shows_headers() {
            conditions = conditions.map(|all| Arc::new(Conditions::clone(&all).without_if_match()));
        }
        Self {
            reads: true,
            conditions,
        }
    }

    /// The answer with its tag, or 304 in its place.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(super) fn apply(&self, mut response: Response) -> Result<Response, Refusal> {
        if !self.reads || !response.status().is_success() {
            return Ok(response);
        }
        tag(&mut response);
        self.check(response)
    }

    /// 304 in the place of an answer that the client has.
    ///
    /// # Errors
    /// That it is another than the client wants.
    pub(super) fn check(&self, response: Response) -> Result<Response, Refusal> {
        let Some(conditions) = &self.conditions else {
            return Ok(response);
        };
        if !response.status().is_success() {
            return Ok(response);
        }
        let tag = response.headers().get(header::ETAG);
        let current = tag.map_or(Current::Untagged, |tag| Current::Tagged(tag.as_bytes()));
        match conditions.judge(current) {
            Outcome::Holds => Ok(response),
            Outcome::Other => Err(Refusal::NoMatch),
            Outcome::Known => Ok(respond::not_modified(response)),
        }
    }
}
