//! A request that was let in, on its way to its service.

use std::sync::Arc;

use http::Method;

use super::endpoint::{Destination, Endpoint, Function, Handler};
use super::exchange::Exchange;
use super::forward;
use super::input::{Limited, read_json};
use super::origin::Origin;
use super::respond::{self, Refusal, Response};
use super::transcode::{Operation, Reply};
use super::writes::Write;
use stoa_call::CallContext;
use stoa_engine::FunctionIndex;
use stoa_engine::value::Val;
use stoa_http::aside::aside;
use stoa_mesh::upstream::{self, SendError, Upstream};
use stoa_mesh::{Guard, Repeat};
use stoa_service::revision::Revision;

/// Asks the service of a request that was let in.
pub(super) async fn serve(
    exchange: &mut Exchange,
    endpoint: &Endpoint,
) -> Result<Response, Refusal> {
    let write = Write::begin(exchange.target.take());
    let answered = match &endpoint.destination {
        Destination::Function(to) => function(exchange, endpoint, to).await,
        Destination::Handler(to) => aside(|| handler(exchange, endpoint, to)).await,
        Destination::Upstream(upstream) => aside(|| outside(exchange, endpoint, upstream)).await,
    };
    write.settle(&answered);
    answered
}

/// Calls a function with what the request says.
async fn function(
    exchange: &mut Exchange,
    endpoint: &Endpoint,
    to: &Function,
) -> Result<Response, Refusal> {
    let operation = &to.operation;
    let json = if operation.takes_body() {
        let body = exchange.take_body();
        let (headers, deadline) = (&exchange.head.headers, exchange.deadline);
        let read = read_json(headers, body, endpoint.body_limit(), deadline);
        read.await.map_err(Refusal::Body)?
    } else {
        bytes::Bytes::new()
    };
    let uri = &exchange.head.uri;
    let parameters = exchange.places.of(uri.path());
    let params = operation
        .decode(parameters.as_slice(), uri.query(), &json)
        .map_err(Refusal::Input)?;
    let context = exchange.context(endpoint.route.priority);
    waits(exchange, endpoint);
    if let Some(tie) = &exchange.tie {
        // Of a body that it does not take nothing is read.
        tie.has_request();
    }
    let way = (&*to.guard, &to.revision, repeat(&exchange.head.method));
    let reply = call(way, to.index, operation, &context, &params).await?;
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

/// Passes the request on to the component's own handler.
async fn handler(
    exchange: &mut Exchange,
    endpoint: &Endpoint,
    to: &Handler,
) -> Result<Response, Refusal> {
    let taken = Limited::new(exchange.take_body(), endpoint.body_limit(), &endpoint.host);
    let (body, upload) = taken.map_err(Refusal::Body)?;
    let context = exchange.context(endpoint.route.priority);
    let (head, origin) = (exchange.take_head(), &exchange.origin);
    let request = forward::request(head, body, origin, &context, &exchange.client)?;
    waits(exchange, endpoint);
    let answered = to.guard.http(&to.revision, request, context, &upload).await;
    answered.map(respond::pass).map_err(Refusal::Call)
}

/// Passes the request on to an upstream.
async fn outside(
    exchange: &mut Exchange,
    endpoint: &Endpoint,
    upstream: &Arc<Upstream>,
) -> Result<Response, Refusal> {
    let taken = Limited::new(exchange.take_body(), endpoint.body_limit(), &endpoint.host);
    let (body, upload) = taken.map_err(Refusal::Body)?;
    let context = exchange.context(endpoint.route.priority);
    let (head, origin) = (exchange.take_head(), &exchange.origin);
    let request = forward::outside(head, body, origin, &context, &exchange.client);
    waits(exchange, endpoint);
    if let Some(tie) = &exchange.tie {
        // It has room for the request, or refuses it.
        tie.begin();
    }
    let told = (context.deadline, context.trace);
    let answered = upstream::send(upstream, request, &upload, told).await;
    answered.map(respond::pass).map_err(|error| {
        report_upstream(endpoint, &error, origin);
        Refusal::Upstream(error)
    })
}

/// The call of a request waits for its turn.
fn waits(exchange: &Exchange, endpoint: &Endpoint) {
    if let Some(tie) = &exchange.tie {
        tie.wait(endpoint.on_disconnect(&exchange.head.method));
    }
}

pub(super) async fn call(
    (guard, revision, repeat): (&Guard, &Arc<Revision>, Repeat),
    function: FunctionIndex,
    operation: &Operation,
    context: &CallContext,
    params: &[Val],
) -> Result<Reply, Refusal> {
    // A function of the component model has one result or none.
    let mut results = [const { Val::Bool(false) }; 1];
    let results = &mut results[..operation.result_slots()];
    guard
        .call(revision, function, context, params, results, repeat)
        .await
        .map_err(Refusal::Call)?;
    Ok(operation.encode(results))
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

/// The client learns only that the upstream gave no answer.
pub(super) fn report_upstream(endpoint: &Endpoint, error: &SendError, origin: &Origin) {
    if let SendError::Upload(_) | SendError::Drained(_) = error {
        return;
    }
    tracing::warn!(
        service.name = &**endpoint.service(),
        service.version = endpoint.number(),
        trace.id = origin.trace_id(),
        "no answer of an upstream: {error}"
    );
}
