//! Requests for a WebSocket.

use super::cors::Cors;
use crate::endpoint::{Destination, Endpoint};
use crate::exchange::Exchange;
use crate::respond::{Answer, Refusal};
use crate::websocket::Wish;
use stoa_http::aside::aside;
use stoa_settings::config::AccessLog;

/// Only an upstream can speak it; a route to any other says so.
pub(crate) struct WebSocket {
    /// Which pages may open one.
    cors: Option<Cors>,
    access_log: AccessLog,
}

impl WebSocket {
    pub(crate) fn new(cors: Option<Cors>, access_log: AccessLog) -> Self {
        Self { cors, access_log }
    }

    pub(crate) async fn request(&self, exchange: &mut Exchange, to: &Endpoint) -> Answer {
        let Some(wish) = Wish::of(&mut exchange.head) else {
            return Ok(None);
        };
        let Destination::Upstream(guard) = &to.destination else {
            return Err(Refusal::NoWebSocket);
        };
        if self
            .cors
            .as_ref()
            .is_some_and(|cors| !cors.admits(exchange))
        {
            return Err(Refusal::OtherOrigin);
        }
        let answered = aside(|| wish.answer(exchange, to, guard, self.access_log)).await;
        answered.map(Some)
    }
}
