//! Writes take what is cached of their URI, RFC 9111 section 4.4.

use std::sync::Arc;

use crate::cache::ResponseCache;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::respond::Answer;

/// Notes what an unsafe request may change; its call settles that. Also of a route
/// without a cache: the URI may be cached by another one.
pub(crate) struct Invalidate {
    cache: Arc<ResponseCache>,
}

impl Invalidate {
    /// For routes that take unsafe methods.
    pub(crate) fn compile(to: &Endpoint, cache: &Arc<ResponseCache>) -> Option<Self> {
        to.takes_unsafe().then(|| Self {
            cache: cache.clone(),
        })
    }

    pub(crate) fn request(&self, exchange: &mut Exchange) -> Answer {
        exchange.target = self.cache.target(&exchange.client, &exchange.head);
        Ok(None)
    }
}
