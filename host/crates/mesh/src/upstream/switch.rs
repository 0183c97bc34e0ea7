//! A request for a WebSocket: an instance that agrees becomes the far end of a tunnel.
//!
//! It is chosen, guarded and counted as for any request, and counts as under way on
//! its instance as long as the tunnel stands. Knows nothing of what goes through it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Request, Response};
use hyper::upgrade::OnUpgrade;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::Serving;
use super::head::{Wants, begins_websocket};
use super::headers::strip_hop_by_hop;
use super::send::{ask, passed_on};
use super::{Instance, SendError, Upstream};
use crate::intake::Intake;
use crate::upload::RequestBodyState;
use stoa_call::TraceContext;
use stoa_engine::http::{ResponseBody, WasiBody};

/// What an instance says to a request for a WebSocket.
pub enum Switched {
    /// It agrees: the headers of its answer, and its end.
    Agreed(HeaderMap, FarEnd),
    /// It gives a response instead.
    Declined(Response<ResponseBody>),
}

/// The end of a tunnel that is an upstream's.
pub struct FarEnd {
    /// Its stream, once the answer has come through.
    pub stream: OnUpgrade,
    /// What is to be held as long as it is in use.
    pub held: Held,
}

/// What a tunnel holds of its instance until its end. Not the upstream: one that is
/// declared anew ends no tunnel, and must not live on in them.
pub struct Held {
    /// How long nothing may come through the tunnel.
    pub idle: Duration,
    /// How long it may take to end once it is asked to: as any request.
    pub limit: Duration,
    intake: Arc<Intake>,
    instance: Arc<Instance>,
    _guard: (Serving, OwnedSemaphorePermit),
}

/// Asks an instance for a WebSocket.
///
/// # Errors
///
/// As for a request.
pub async fn switch(
    upstream: &Arc<Upstream>,
    request: Request<WasiBody>,
    upload: &RequestBodyState,
    (deadline, trace): (Instant, TraceContext),
) -> Result<Switched, SendError> {
    let mut answered = ask(upstream, request, Wants::WebSocket, upload, deadline).await?;
    if !begins_websocket(&answered.response) {
        let response = passed_on(upstream, answered, upload, trace);
        return Ok(Switched::Declined(response));
    }
    let stream = hyper::upgrade::on(&mut answered.response);
    let mut headers = answered.response.into_parts().0.headers;
    strip_hop_by_hop(&mut headers);
    let limits = &upstream.settings.limits;
    let held = Held {
        idle: limits.websocket_idle,
        limit: limits.deadline,
        intake: upstream.intake.clone(),
        instance: answered.instance,
        _guard: answered.guard,
    };
    let end = FarEnd { stream, held };
    Ok(Switched::Agreed(headers, end))
}

// === impl Held ===

impl Held {
    /// The instance's name.
    pub fn instance(&self) -> &str {
        &self.instance.id
    }

    /// Completes when the tunnel is to end: the instance is one of its upstream's no
    /// longer, or the upstream is drained.
    pub async fn recalled(&self) {
        tokio::select! {
            () = self.instance.gone() => {}
            () = self.intake.closed() => {}
        }
    }
}
