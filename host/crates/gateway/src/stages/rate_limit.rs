//! How many requests a caller may send.

use std::sync::Arc;

use crate::exchange::Exchange;
use crate::rate::Limiter;
use crate::respond::Answer;

/// Counts a request against the limit of its route.
pub(crate) struct RateLimit(Arc<Limiter>);

impl RateLimit {
    pub(crate) fn new(limiter: Arc<Limiter>) -> Self {
        Self(limiter)
    }

    pub(crate) fn request(&self, exchange: &mut Exchange) -> Answer {
        let principal = exchange.principal.as_deref();
        let admitted = self.0.admit(&exchange.client, principal);
        exchange.admitted(admitted.map(Some))?;
        Ok(None)
    }
}
