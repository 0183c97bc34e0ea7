//! Trailers that a client does not get.

use std::sync::Arc;

use http::{Method, Version, header};

use crate::endpoint::{Destination, Endpoint};
use crate::exchange::Exchange;
use crate::respond::Response;
use stoa_service::revision::Revision;

/// HTTP/1.1 passes no trailers on that the head does not announce (RFC 9110, section
/// 6.6.2): a component that has some is told so.
pub(crate) struct Trailers {
    writer: Arc<Revision>,
}

impl Trailers {
    /// For what a component writes itself.
    pub(crate) fn compile(to: &Endpoint) -> Option<Self> {
        match &to.destination {
            Destination::Handler(guard) => Some(Self {
                writer: guard.target().revision.clone(),
            }),
            Destination::Function(_) | Destination::Upstream(_) | Destination::Queue(_) => None,
        }
    }

    pub(crate) fn response(&self, exchange: &Exchange, response: &mut Response) {
        let head = &exchange.head;
        let lost = head.version < Version::HTTP_2 && head.method != Method::HEAD;
        let streams = response.body().as_whole().is_none();
        if lost && streams && !response.headers().contains_key(header::TRAILER) {
            response.body_mut().loses_trailers(&self.writer);
        }
    }
}
