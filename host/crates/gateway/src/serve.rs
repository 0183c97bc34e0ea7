//! A request that was let in, on its way to its service.

use std::sync::Arc;

use http::Method;
use http::request::Parts;

use super::asked::Asked;
use super::endpoint::{Destination, Endpoint};
use super::forward;
use super::input::{Limited, RequestBody, read_json};
use super::origin::Origin;
use super::respond::{self, Refusal, Response};
use super::table::Parameters;
use super::transcode::{Operation, Reply};
use stoa_call::{CallContext, Tie};
use stoa_engine::FunctionIndex;
use stoa_engine::value::Val;
use stoa_http::aside::aside;
use stoa_mesh::upstream::{self, SendError};
use stoa_mesh::{Guard, Repeat};
use stoa_service::revision::Revision;

/// Passes a request that was let in to its service.
pub(super) async fn serve(
    asked: &Asked<'_>,
    endpoint: &Endpoint,
    parts: Parts,
    body: RequestBody,
    parameters: &Parameters<'_>,
    context: CallContext,
) -> Result<Response, Refusal> {
    let origin = &asked.origin;
    let limit = endpoint.body_limit();
    let waits = |tie: &Tie| tie.wait(endpoint.on_disconnect(&asked.method));
    match &endpoint.destination {
        Destination::Function {
            revision,
            guard,
            function,
            operation,
        } => {
            let json = if operation.takes_body() {
                read_json(&parts.headers, body, limit, context.deadline)
                    .await
                    .map_err(Refusal::Body)?
            } else {
                bytes::Bytes::new()
            };
            let params = operation
                .decode(parameters.as_slice(), asked.uri.query(), &json)
                .map_err(Refusal::Input)?;
            context.tie.iter().for_each(|tie| {
                waits(tie);
                // Of a body that it does not take nothing is read.
                tie.has_request();
            });
            let way = (&**guard, revision, repeat(&asked.method));
            let reply = call(way, *function, operation, context, &params).await?;
            if let Reply::Internal { case, detail } = &reply {
                report_own_error(endpoint, case, detail, origin);
            }
            Ok(respond::reply(reply, endpoint, origin))
        }
        Destination::Http { revision, guard } => {
            aside(|| async move {
                let taken = Limited::new(body, limit, &endpoint.host);
                let (body, upload) = taken.map_err(Refusal::Body)?;
                let request = forward::request(parts, body, origin, &context, asked.client)?;
                context.tie.iter().for_each(waits);
                let answered = guard.http(revision, request, context, &upload).await;
                answered.map(respond::pass).map_err(Refusal::Call)
            })
            .await
        }
        Destination::Upstream(upstream) => {
            aside(|| async move {
                let taken = Limited::new(body, limit, &endpoint.host);
                let (body, upload) = taken.map_err(Refusal::Body)?;
                let request = forward::outside(parts, body, origin, &context, asked.client);
                context.tie.iter().for_each(|tie| {
                    waits(tie);
                    // It has room for the request, or refuses it.
                    tie.begin();
                });
                let told = (context.deadline, context.trace);
                let answered = upstream::send(upstream, request, &upload, told).await;
                answered.map(respond::pass).map_err(|error| {
                    report_upstream(endpoint, &error, origin);
                    Refusal::Upstream(error)
                })
            })
            .await
        }
    }
}

pub(super) async fn call(
    (guard, revision, repeat): (&Guard, &Arc<Revision>, Repeat),
    function: FunctionIndex,
    operation: &Operation,
    context: CallContext,
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
