//! A request that was let in, on its way to its service.

use std::sync::Arc;

use http::Method;

use super::endpoint::{Destination, Endpoint, Queued, Transcoded};
use super::exchange::Exchange;
use super::forward;
use super::input::{Bounds, Limited, read};
use super::origin::Origin;
use super::respond::{self, Refusal, Response};
use stoa_call::CallContext;
use stoa_engine::value::Val;
use stoa_http::aside::aside;
use stoa_http::cache::writes::Write;
use stoa_mesh::target::{Function, Handler};
use stoa_mesh::upstream::Upstream;
use stoa_mesh::{Guard, Repeat, Terms};
use stoa_transcode::{Operation, Reply};

/// A function behind JSON, as one request asks it.
pub(super) struct Asking<'r> {
    pub(super) guard: &'r Guard<Function>,
    pub(super) operation: &'r Operation,
    pub(super) terms: Terms,
}

/// Asks the service of a request that was let in.
pub(super) async fn serve(
    exchange: &mut Exchange,
    endpoint: &Endpoint,
) -> Result<Response, Refusal> {
    let write = Write::begin(exchange.target.take());
    let answered = match &endpoint.destination {
        Destination::Function(to) => function(exchange, endpoint, to).await,
        Destination::Handler(to) => aside(|| handler(exchange, endpoint, to)).await,
        Destination::Upstream(to) => aside(|| outside(exchange, endpoint, to)).await,
        Destination::Queue(to) => aside(|| queue(exchange, endpoint, to)).await,
    };
    settle(write, &answered);
    answered
}

/// Notes what a write has changed, as far as its answer tells.
fn settle(write: Write, answered: &Result<Response, Refusal>) {
    match answered {
        Ok(response) => write.answered(response.status(), response.headers()),
        Err(refusal) if refusal.may_have_run() => drop(write),
        Err(_) => write.forget(),
    }
}

/// Calls a function with what the request says.
async fn function(
    exchange: &mut Exchange,
    endpoint: &Endpoint,
    to: &Transcoded,
) -> Result<Response, Refusal> {
    let operation = &to.operation;
    let params = params(exchange, endpoint, operation).await?;
    let context = exchange.context(endpoint.route.priority);
    waits(exchange, endpoint);
    if let Some(tie) = &exchange.tie {
        // Of a body that it does not take nothing is read.
        tie.has_request();
    }
    let asking = Asking {
        guard: &to.guard,
        operation,
        terms: Terms::of(repeat(&exchange.head.method)),
    };
    let reply = asking.call(&context, &params).await?;
    let origin = &exchange.origin;
    if let Reply::Internal { case, detail } = &reply {
        report_own_error(endpoint, case, detail, origin);
    }
    let headers = std::mem::take(&mut exchange.head.headers);
    Ok(respond::reply(
        reply,
        endpoint.route.status,
        origin,
        headers,
    ))
}

/// The arguments that the request makes for a function.
async fn params(
    exchange: &mut Exchange,
    endpoint: &Endpoint,
    operation: &Operation,
) -> Result<Vec<Val>, Refusal> {
    let body = match operation.body() {
        Some(form) => {
            let body = exchange.take_body();
            let bounds = Bounds {
                limit: endpoint.body_limit(),
                deadline: exchange.deadline,
            };
            let read = read(form, &exchange.head.headers, body, bounds);
            read.await.map_err(Refusal::Body)?
        }
        None => bytes::Bytes::new(),
    };
    let (uri, headers) = (&exchange.head.uri, &exchange.head.headers);
    let parameters = exchange.places.of(uri.path());
    operation
        .decode(parameters.as_slice(), uri.query(), headers, &body)
        .map_err(Refusal::Input)
}

/// Keeps the call that the request makes; it is on disk when it is answered.
async fn queue(
    exchange: &mut Exchange,
    endpoint: &Endpoint,
    to: &Queued,
) -> Result<Response, Refusal> {
    let params = params(exchange, endpoint, &to.operation).await?;
    let context = exchange.context(endpoint.route.priority);
    let delay = to.guard.target().settings.delay;
    let call = to.function.call(&context, &params, delay);
    let call = call.map_err(|_| Refusal::BadRequest("the call can't be kept"))?;
    to.guard.keep(&context, call).await.map_err(Refusal::Call)?;
    let status = endpoint.route.status.or(Some(ACCEPTED));
    let headers = std::mem::take(&mut exchange.head.headers);
    Ok(respond::reply(
        Reply::Empty,
        status,
        &exchange.origin,
        headers,
    ))
}

/// What is told of a call that is kept, unless its route says otherwise: RFC 9110, section
/// 15.3.3.
const ACCEPTED: u16 = 202;

/// Passes the request on to the component's own handler.
async fn handler(
    exchange: &mut Exchange,
    endpoint: &Endpoint,
    to: &Guard<Handler>,
) -> Result<Response, Refusal> {
    let taken = Limited::new(exchange.take_body(), endpoint.body_limit(), &endpoint.host);
    let (body, upload) = taken.map_err(Refusal::Body)?;
    let context = exchange.context(endpoint.route.priority);
    let (head, origin) = (exchange.take_head(), &exchange.origin);
    let request = http::Request::from_parts(head, body);
    let request = forward::request(request, origin, &context, &exchange.client)?;
    waits(exchange, endpoint);
    let answered = to.http(request, context, &upload).await;
    answered.map(respond::pass).map_err(Refusal::Call)
}

/// Passes the request on to an upstream.
async fn outside(
    exchange: &mut Exchange,
    endpoint: &Endpoint,
    to: &Guard<Arc<Upstream>>,
) -> Result<Response, Refusal> {
    let taken = Limited::new(exchange.take_body(), endpoint.body_limit(), &endpoint.host);
    let (body, upload) = taken.map_err(Refusal::Body)?;
    let context = exchange.context(endpoint.route.priority);
    let (head, origin) = (exchange.take_head(), &exchange.origin);
    let request = http::Request::from_parts(head, body);
    let request = forward::outside(request, origin, &context, &exchange.client);
    waits(exchange, endpoint);
    if let Some(tie) = &exchange.tie {
        // It has room for the request, or refuses it.
        tie.begin();
    }
    let answered = to.http(request, &context, &upload).await;
    answered.map(respond::pass).map_err(Refusal::Call)
}

/// The call of a request waits for its turn.
fn waits(exchange: &Exchange, endpoint: &Endpoint) {
    if let Some(tie) = &exchange.tie {
        tie.wait(endpoint.on_disconnect(&exchange.head.method));
    }
}

/// RFC 9110, section 9.2.2: what a client may send twice, the host may call twice.
pub(super) fn repeat(method: &Method) -> Repeat {
    if method.is_idempotent() {
        Repeat::Idempotent
    } else {
        Repeat::Once
    }
}

/// An error of the service's own for which its route names no status: the client
/// learns nothing of it, so the operator must.
fn report_own_error(endpoint: &Endpoint, case: &str, detail: &[u8], origin: &Origin) {
    tracing::error!(
        service.name = &**endpoint.service(),
        service.version = endpoint.number(),
        trace.id = origin.trace_id(),
        case,
        "the function failed with an error that its route maps to no status: {}",
        String::from_utf8_lossy(detail)
    );
}

// === impl Asking ===

impl Asking<'_> {
    pub(super) async fn call(
        &self,
        context: &CallContext,
        params: &[Val],
    ) -> Result<Reply, Refusal> {
        // A function of the component model has one result or none.
        let mut results = [const { Val::Bool(false) }; 1];
        let results = &mut results[..self.operation.result_slots()];
        let called = self.guard.call(context, params, results, &self.terms).await;
        called.outcome.map_err(Refusal::Call)?;
        Ok(self.operation.encode(results))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_http::cache::writes::Writes;
    use stoa_mesh::CallError;

    #[test]
    fn a_call_that_may_have_run_is_a_write() {
        let client = crate::client::Client::new(([127, 0, 0, 1], 1).into());
        let request = http::Request::post("/shop/cart").body(()).unwrap();
        let (head, ()) = request.into_parts();
        let writes = Arc::new(Writes::new(|path| path.into()));
        writes.heed();
        let slot = writes.slot(&client, &head);
        for (refusal, counted) in [
            (Refusal::NoRoute { nearest: None }, 0),
            (Refusal::Call(CallError::Deadline), 1),
        ] {
            settle(Write::begin(writes.target(&client, &head)), &Err(refusal));
            assert_eq!(writes.count(slot), counted);
        }
    }
}
