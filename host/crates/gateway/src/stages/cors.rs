//! Pages of other origins.

use std::sync::Arc;

use http::header;

use crate::cors::{self, Cors as Policy};
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::respond::{self, Answer, Response};
use stoa_settings::Choice;

/// The route's policy, or that of its service.
#[derive(Clone)]
pub(crate) struct Cors(Arc<Policy>);

impl Cors {
    /// # Errors
    ///
    /// Everything that browsers would not understand.
    pub(crate) fn compile(to: &Endpoint) -> Result<Option<Self>, Vec<String>> {
        let service = to.settings().and_then(|settings| settings.cors.as_ref());
        let Some(settings) = Choice::in_force(to.route.cors.as_ref(), service) else {
            return Ok(None);
        };
        match Policy::compile(settings) {
            Ok(policy) => Ok(Some(Self(Arc::new(policy)))),
            Err(faults) => Err(faults
                .iter()
                .map(|fault| format!("`cors`: {fault}"))
                .collect()),
        }
    }

    /// A preflight is answered before anybody asks who calls.
    pub(crate) fn request(&self, exchange: &mut Exchange) -> Answer {
        exchange.page = exchange.head.headers.get(header::ORIGIN).cloned();
        let Some(method) = cors::preflight_for(&exchange.head) else {
            return Ok(None);
        };
        let mut headers = self.0.preflight(exchange.page.as_ref(), &method);
        self.0.finish(exchange.page.as_ref(), &mut headers);
        Ok(Some(respond::preflight(headers)))
    }

    /// What a component says of other origins does not count.
    pub(crate) fn response(&self, exchange: &Exchange, mut response: Response) -> Response {
        let headers = response.headers_mut();
        Policy::silence(headers);
        self.0.finish(exchange.page.as_ref(), headers);
        response
    }

    /// Whether the page that asks may open a WebSocket.
    pub(crate) fn admits(&self, exchange: &Exchange) -> bool {
        self.0.admits(exchange.page.as_ref(), &exchange.head)
    }
}
