//! Entity tags of answers, RFC 9110 section 8.8.3, and answers that are none because of them.
//!
//! An answer of a function to GET or HEAD has a strong tag where it has a `version`, where
//! its route caches, or where the request has a condition: then a hash of its body. A
//! client that has that answer already gets 304; one that wants another gets 412. A
//! component that sees the request's headers judges `If-Match` itself, and so does every
//! write.

use std::sync::Arc;

use http::{Method, header};

use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::respond::{self, Answer, Refusal, Response};
use stoa_http::compress::{self, WouldGain};
use stoa_http::conditions::{Conditions, Current, Outcome};
use stoa_http::validators::tag;

/// Judges reads by what the client has already, or wants.
pub(crate) struct Condition {
    /// The service sees the request's headers, and the host its answer as it is.
    shows_headers: bool,
}

impl Condition {
    /// For answers whose tags the host knows: a function's, and stored ones.
    pub(crate) fn compile(to: &Endpoint) -> Option<Self> {
        let shows_headers = to.shows_headers();
        let judges = to.takes_safe() && (!shows_headers || to.route.cache.is_some());
        judges.then_some(Self { shows_headers })
    }

    /// Keeps what a GET or HEAD says: its service gets that, too.
    pub(crate) fn request(&self, exchange: &mut Exchange) -> Answer {
        if let Some(conditions) = &exchange.conditions
            && matches!(exchange.head.method, Method::GET | Method::HEAD)
        {
            exchange.expects = Some(match self.shows_headers {
                true => Arc::new(Conditions::clone(conditions).without_if_match()),
                false => conditions.clone(),
            });
        }
        Ok(None)
    }

    /// 304 in the place of an answer that the client has, 412 in that of another than it
    /// wants.
    pub(crate) fn response(&self, exchange: &Exchange, response: &mut Response) {
        let Some(conditions) = &exchange.expects else {
            return;
        };
        if !response.status().is_success() {
            return;
        }
        if !self.shows_headers {
            tag(response);
        }
        let tag = response.headers().get(header::ETAG);
        let current = tag.map_or(Current::Untagged, |tag| Current::Tagged(tag.as_bytes()));
        match conditions.judge(current) {
            Outcome::Holds => {}
            Outcome::Other => *response = respond::refuse(Refusal::NoMatch, &exchange.origin),
            Outcome::Known => {
                let mut short = respond::not_modified(response);
                if compress::gains(response) {
                    short.extensions_mut().insert(WouldGain);
                }
                *response = short;
            }
        }
    }
}
