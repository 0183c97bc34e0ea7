//! A request for a WebSocket: an instance that agrees becomes the far end of a tunnel.
//!
//! It is chosen, guarded and counted as for any request, and counts as under way on
//! its instance as long as the tunnel stands. Knows nothing of what goes through it.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Response};
use hyper::upgrade::OnUpgrade;

use super::answer::UnderWay;
use super::head::begins_websocket;
use super::headers::strip_hop_by_hop;
use super::send::Answered;
use super::{Instance, Upstream};
use crate::intake::Intake;
use crate::upload::RequestBodyState;
use stoa_call::TraceContext;
use stoa_engine::http::ResponseBody;

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
    _under_way: UnderWay,
}

impl Answered {
    /// What the answer to a request for a WebSocket says.
    pub(crate) fn switched(
        mut self,
        upstream: &Arc<Upstream>,
        upload: &RequestBodyState,
        trace: TraceContext,
    ) -> Switched {
        if !begins_websocket(&self.response) {
            return Switched::Declined(self.passed_on(upstream, upload, trace));
        }
        let stream = hyper::upgrade::on(&mut self.response);
        let mut headers = self.response.into_parts().0.headers;
        strip_hop_by_hop(&mut headers);
        let limits = &upstream.settings.limits;
        let held = Held {
            idle: limits.websocket_idle,
            limit: limits.deadline,
            intake: upstream.gate.intake().clone(),
            instance: self.instance,
            _under_way: self.under_way,
        };
        Switched::Agreed(headers, FarEnd { stream, held })
    }
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
