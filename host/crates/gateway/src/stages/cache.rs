//! Answers from memory.

use std::sync::Arc;

use http::Method;

use crate::cache::{ResponseCache, Rule};
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::onward::Onward;
use crate::respond::Answer;
use stoa_http::aside::aside;

/// Wraps the service: it is asked for what is not stored.
pub(crate) struct Cache {
    cache: Arc<ResponseCache>,
    rule: Arc<Rule>,
}

impl Cache {
    /// Where the route has a cache.
    pub(crate) fn compile(to: &Endpoint, cache: &Arc<ResponseCache>) -> Option<Self> {
        let rule = Rule::of(&to.route, to.service(), cache.tags())?;
        // Writes are counted before the first answer is stored.
        cache.expect();
        Some(Self {
            cache: cache.clone(),
            rule: Arc::new(rule),
        })
    }

    pub(crate) async fn request(&self, exchange: &mut Exchange, to: &Arc<Endpoint>) -> Answer {
        if !matches!(exchange.head.method, Method::GET | Method::HEAD) {
            return Ok(None);
        }
        let request = Onward::of(exchange, to);
        let answered = aside(|| self.cache.answer(request, &self.rule)).await;
        answered.map(Some)
    }
}
