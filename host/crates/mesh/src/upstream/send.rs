//! A request to an upstream: to one instance, or to the next where that one
//! certainly did not run it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;

use super::Upstream;
use super::answer::{Exchange, Serving, UnderWay, finish};
use super::balance::pick;
use super::body::lend;
use super::head::{Head, Wants};
use super::instance::{Instance, Status};
use crate::breaker::Outcome;
use crate::fault::{CallError, UpstreamFault};
use crate::retry;
use crate::target::Target;
use crate::upload::RequestBodyState;
use stoa_call::TraceContext;
use stoa_call::deadline::within;
use stoa_engine::http::{ResponseBody, WasiBody};

/// Instances that one request is tried on at most: three that are dead tell that
/// a fourth is no better.
const ATTEMPTS: usize = 3;

/// Why one attempt failed.
struct Failed {
    error: CallError,
    /// The request's body, where the instance did not see the request.
    unsent: Option<WasiBody>,
}

/// A response, with who gave it and what is held until its end.
pub(crate) struct Answered {
    pub(super) response: Response<Incoming>,
    pub(super) instance: Arc<Instance>,
    pub(super) under_way: UnderWay,
}

impl Answered {
    /// The response as it is passed on. What breaks off after its head is told with
    /// `trace`.
    pub(crate) fn passed_on(
        self,
        upstream: &Arc<Upstream>,
        upload: &RequestBodyState,
        trace: TraceContext,
    ) -> Response<ResponseBody> {
        let exchange = Exchange {
            upstream: upstream.clone(),
            instance: self.instance,
            upload: upload.clone(),
            trace,
        };
        finish(exchange, self.response, self.under_way)
    }
}

impl Target for Arc<Upstream> {
    fn service(&self) -> &Arc<str> {
        &self.name
    }

    fn number(&self) -> u64 {
        self.number
    }

    fn time_limit(&self) -> Duration {
        self.settings.limits.deadline
    }

    fn body_limit(&self) -> u64 {
        self.settings.limits.body
    }

    fn report(&self, trace: &TraceContext, error: &CallError) {
        if let CallError::Upload(_) | CallError::Drained = error {
            return;
        }
        tracing::warn!(
            service.name = &*self.name,
            service.version = self.number,
            trace.id = format_args!("{:032x}", trace.trace_id),
            "no answer of an upstream: {error}"
        );
    }
}

impl Upstream {
    /// Asks one instance after the other, until one may have run the request. None is
    /// blamed for what comes of the failure of the request's body, `upload`.
    pub(crate) async fn ask(
        &self,
        request: Request<WasiBody>,
        wants: Wants,
        upload: &RequestBodyState,
        deadline: Instant,
    ) -> Result<Answered, CallError> {
        let room = self.room.clone().try_acquire_owned();
        let room = room.map_err(|_| UpstreamFault::Busy {
            upstream: self.name.clone(),
            limit: self.settings.limits.connections,
        })?;
        let (parts, mut body) = request.into_parts();
        let head = Head::of(self, parts, wants)?;
        let mut tried: Vec<Arc<Instance>> = Vec::new();
        let mut last = None;
        let mut attempts = 0;
        while attempts < ATTEMPTS {
            let Some(instance) = next(&self.members.all(), &tried) else {
                break;
            };
            tried.push(instance.clone());
            let admitted = match instance
                .breaker
                .admit(deadline.into(), tokio::time::Instant::now())
            {
                Ok(admitted) => admitted,
                Err(rejected) => {
                    last.get_or_insert(CallError::from(rejected));
                    continue;
                }
            };
            attempts += 1;
            let serving = Serving::enter(instance.clone());
            let answered = self.attempt(&head, body, &instance, deadline).await;
            let answered = answered.map_err(|failed| failed.blaming(upload));
            admitted.settle(outcome(&answered));
            match answered {
                Ok(response) => {
                    let under_way = UnderWay {
                        _on: serving,
                        _room: room,
                    };
                    return Ok(Answered {
                        response,
                        instance,
                        under_way,
                    });
                }
                Err(Failed { error, unsent }) => match unsent {
                    Some(back) => (body, last) = (back, Some(error)),
                    None => return Err(error),
                },
            }
        }
        Err(last.unwrap_or_else(|| UpstreamFault::NoInstance(self.name.clone()).into()))
    }

    async fn attempt(
        &self,
        head: &Head,
        body: WasiBody,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<Response<Incoming>, Failed> {
        let (lender, lent) = lend(body);
        let request = head.request(instance, lent)?;
        let answered = within(deadline, self.client(head.wants).request(request)).await;
        let fault = match answered.map_err(CallError::from)? {
            Ok(response) => match head.fault(&response) {
                None => return Ok(response),
                Some(fault) => return Err(self.broken(instance, fault.to_owned()).into()),
            },
            Err(fault) => fault,
        };
        let reason = describe(&fault);
        let back = lender.take_back();
        if fault.is_connect() && back.is_some() {
            let connect = UpstreamFault::Connect {
                upstream: self.name.clone(),
                instance: instance.origin.to_string(),
                reason,
            };
            return Err(Failed {
                error: connect.into(),
                unsent: back,
            });
        }
        // What is safe to repeat and has no body that is half sent.
        let again = |body: &WasiBody| head.repeatable && body.is_end_stream();
        Err(Failed {
            error: self.broken(instance, reason),
            unsent: back.filter(again),
        })
    }

    fn broken(&self, instance: &Instance, reason: String) -> CallError {
        let broken = UpstreamFault::Broken {
            upstream: self.name.clone(),
            instance: instance.origin.to_string(),
            reason,
        };
        broken.into()
    }
}

// === impl Failed ===

impl Failed {
    /// The same, or what the request's body failed with before.
    fn blaming(self, upload: &RequestBodyState) -> Self {
        Self {
            error: upload.blame(self.error),
            ..self
        }
    }
}

/// One that may have run.
impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        Self {
            error,
            unsent: None,
        }
    }
}

/// What an attempt says of its instance. 502, 503 and 504 are its word that it can't
/// serve; other answers are the service's own.
fn outcome(answered: &Result<Response<Incoming>, Failed>) -> Outcome {
    match answered {
        Ok(response) if (502..=504).contains(&response.status().as_u16()) => Outcome::Failure,
        Ok(_) => Outcome::Success,
        Err(failed) => retry::outcome(&failed.error, true),
    }
}

/// The next instance: of those whose lease holds, else of the last that were known.
/// One that is cut off has nothing to do, so it would seem the best: it comes last,
/// to tell when to try again.
fn next(members: &[Arc<Instance>], tried: &[Arc<Instance>]) -> Option<Arc<Instance>> {
    let now = tokio::time::Instant::now();
    let up = |one: &Instance| {
        one.status() == Status::Up && !tried.iter().any(|other| other.id == one.id)
    };
    let admitted = |one: &Instance| up(one) && one.breaker.admits(now);
    pick(members, |one| admitted(one) && one.overdue(now).is_none())
        .or_else(|| pick(members, admitted))
        .or_else(|| pick(members, up))
        .cloned()
}

/// An error with its causes: the client's own words are "client error".
fn describe(fault: &hyper_util::client::legacy::Error) -> String {
    use std::error::Error;
    let mut text = String::new();
    let mut cause = fault.source();
    while let Some(one) = cause {
        let part = one.to_string();
        if !text.contains(&part) {
            text = if text.is_empty() {
                part
            } else {
                format!("{text}: {part}")
            };
        }
        cause = one.source();
    }
    if text.is_empty() {
        fault.to_string()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::Forced;

    fn instance(port: u16) -> Arc<Instance> {
        let origin = format!("http://127.0.0.1:{port}").parse().unwrap();
        Arc::new(Instance::declared(
            origin,
            &Default::default(),
            &Default::default(),
        ))
    }

    /// Idle, and so the first choice of the two but for its breaker.
    #[tokio::test(start_paused = true)]
    async fn an_instance_that_is_cut_off_comes_last() {
        let members = [instance(1), instance(2)];
        let [open, busy] = &members;
        busy.enter();
        open.breaker.force(Some(Forced::Open));
        for _ in 0..100 {
            let first = next(&members, &[]).unwrap();
            assert_eq!(first.id, busy.id);
            let second = next(&members, &[first]).unwrap();
            assert_eq!(second.id, open.id, "it tells when to try again");
        }
        open.breaker.force(None);
        let firsts = (0..100).filter_map(|_| next(&members, &[]));
        assert!(firsts.filter(|one| one.id == open.id).count() > 50);
    }
}
