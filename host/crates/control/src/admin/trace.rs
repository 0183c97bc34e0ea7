//! The trace of each request to this port: continued or begun, in the log's lines about
//! it, and in the problem that it may get.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use super::problem;
use stoa_call::TraceContext;

/// Gives a request its trace.
pub(super) async fn traced(request: Request, next: Next) -> Response {
    let parent = request.headers().get("traceparent");
    let parent = parent.and_then(|parent| TraceContext::parse(parent.to_str().ok()?));
    let trace = parent.map_or_else(TraceContext::root, |parent| parent.child());
    let id = format!("{:032x}", trace.trace_id);
    // Of the highest level, so that no filter takes it from a line that is written.
    let span = tracing::error_span!("admin", trace.id = id);
    let response = next.run(request).instrument(span).await;
    problem::told(response, &id)
}
