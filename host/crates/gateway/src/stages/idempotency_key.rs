//! Requests that are sent again.

use std::sync::Arc;

use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::idempotency::Idempotency;
use crate::onward::Onward;
use crate::respond::Answer;
use stoa_http::aside::aside;
use stoa_settings::IdempotencyKey as Asks;

/// Wraps the service: the first request with a key reaches it, later ones get its answer.
pub(crate) struct IdempotencyKey {
    answers: Arc<Idempotency>,
    asks: Asks,
}

impl IdempotencyKey {
    /// Where the route asks for keys, or takes them.
    pub(crate) fn compile(to: &Endpoint, answers: &Arc<Idempotency>) -> Option<Self> {
        let asks = to.route.idempotency.as_ref()?.key;
        Some(Self {
            answers: answers.clone(),
            asks,
        })
    }

    pub(crate) async fn request(&self, exchange: &mut Exchange, to: &Arc<Endpoint>) -> Answer {
        let Some(key) = Idempotency::key(self.asks, &exchange.head)? else {
            return Ok(None);
        };
        let request = Onward::of(exchange, to);
        let answered = aside(|| self.answers.answer(key, request)).await;
        answered.map(Some)
    }
}
