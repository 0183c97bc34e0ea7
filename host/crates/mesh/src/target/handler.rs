//! A revision's own HTTP handler, as a target.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::lease::{acquire, flatten};
use super::threads::{Begun, Elsewhere};
use super::{Export, report};
use crate::breaker::Outcome;
use crate::fault::CallError;
use crate::gate::Gate;
use crate::retry::outcome;
use crate::upload::RequestBodyState;
use stoa_call::deadline::{Elapsed, within};
use stoa_call::{CallContext, TraceContext};
use stoa_engine::http::{
    self as handler, Audience, BodyError, GuestFate, ResponseBody, Rest, Running,
};
use stoa_service::pool::{ExclusiveLease, Lease};
use stoa_service::revision::Revision;

/// A revision that serves HTTP itself.
#[derive(Clone)]
pub struct Handler {
    /// Which.
    pub revision: Arc<Revision>,
}

/// Who is told of what goes wrong after an answer, unless the request's body did before.
#[derive(Clone, Copy)]
pub(crate) struct Listening<'g> {
    pub(crate) gate: &'g Arc<Gate>,
    pub(crate) upload: &'g RequestBodyState,
}

/// A guest that works on after its answer.
struct Aftermath {
    revision: Arc<Revision>,
    gate: Arc<Gate>,
    upload: RequestBodyState,
    trace: TraceContext,
    deadline: Instant,
    /// Whether what comes of the deadline is the guest's.
    fair: bool,
    /// Whether it ends when nobody takes its body any more.
    ends: bool,
}

impl Handler {
    /// Passes a request on.
    pub(crate) async fn http<B>(
        &self,
        request: http::Request<B>,
        context: CallContext,
        listening: Listening<'_>,
    ) -> Result<http::Response<ResponseBody>, CallError>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        match self.revision.pool.elsewhere() {
            None => self.http_here(request, context, listening, None).await,
            Some(there) => {
                let answered = Elsewhere(there).http(self, request, context, listening);
                Box::pin(answered).await
            }
        }
    }

    /// The same, on the current thread. `begun` is told of the instance.
    pub(super) async fn http_here<B>(
        &self,
        request: http::Request<B>,
        context: CallContext,
        listening: Listening<'_>,
        begun: Option<&Begun>,
    ) -> Result<http::Response<ResponseBody>, CallError>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        let (deadline, trace) = (context.deadline, context.trace);
        let (tie, safe) = (context.tie.clone(), request.method().is_safe());
        let (lease, late) = acquire(&self.revision, &context, begun).await?;
        let fair = !late && self.revision.has_fair_time(Instant::now(), deadline);
        let answered = match lease {
            Lease::Exclusive(lease) => {
                let exchange = handler::start(lease.into_owned(), request, context)?;
                let answered = flatten(within(deadline, exchange).await);
                answered.map(|answer| {
                    match answer.rest {
                        Rest::Ended(lease) => lease.keep(),
                        Rest::Running(running, fate, audience) => Aftermath {
                            revision: self.revision.clone(),
                            gate: listening.gate.clone(),
                            upload: listening.upload.clone(),
                            trace,
                            deadline,
                            fair,
                            // Who is no client leaves as one does that says nothing of it.
                            ends: tie.map_or(safe, |tie| tie.ends()),
                        }
                        .begin(running, fate, audience),
                    }
                    answer.response
                })
            }
            Lease::Shared(lease) => {
                let instance = lease.instance();
                let answered = instance.http(Box::new(lease), request, context);
                flatten(Box::pin(within(deadline, answered)).await)
            }
        };
        answered.map_err(|error| error.begun(late))
    }
}

impl Export for Handler {
    fn revision(&self) -> &Revision {
        &self.revision
    }

    fn name(&self) -> &str {
        "wasi:http"
    }
}

// === impl Aftermath ===

impl Aftermath {
    /// Lets the guest work on, for instance at its body.
    fn begin(self, running: Running<ExclusiveLease>, fate: GuestFate, audience: Audience) {
        tokio::spawn(async move {
            if let Some(ended) = self.run(running, fate, audience).await {
                let ended = self.upload.blame(ended);
                if outcome(&ended, self.fair) == Outcome::Failure {
                    self.gate.fail();
                }
                let function = "wasi:http (after its answer)";
                report(&self.revision, function, &self.trace, &ended);
            }
        });
    }

    /// How it went wrong, unless nobody cares.
    async fn run(
        &self,
        mut running: Running<ExclusiveLease>,
        fate: GuestFate,
        audience: Audience,
    ) -> Option<CallError> {
        let service = &*self.revision.service;
        let work = async {
            tokio::select! {
                biased;
                ran = &mut running => Some(ran),
                () = audience.left(), if self.ends => None,
            }
        };
        let (ended, unheard) = match within(self.deadline, work).await {
            Ok(None) => {
                tracing::debug!(service, "a client left its answer, which ends with it");
                return None;
            }
            Ok(Some((lease, Ok(())))) => {
                lease.keep();
                return None;
            }
            Ok(Some((lease, Err(fault)))) => {
                let unheard = audience.has_left();
                fate.fail();
                drop(lease);
                (CallError::Fault(fault), unheard)
            }
            Err(Elapsed) => {
                let unheard = audience.holds_up();
                fate.fail();
                drop(running);
                (CallError::Deadline, unheard)
            }
        };
        if unheard {
            tracing::debug!(service, "nobody took the rest of an answer: {ended}");
            return None;
        }
        Some(ended)
    }
}
