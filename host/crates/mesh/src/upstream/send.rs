//! A request to an upstream: to one instance, or to the next where that one
//! certainly did not run it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;

use super::Upstream;
use super::answer::{Exchange, Serving, finish};
use super::balance::pick;
use super::body::lend;
use super::head::{Head, Wants};
use super::instance::{Instance, Status};
use crate::breaker::Outcome;
use crate::call::by_whom;
use crate::intake;
use crate::upload::{RequestBodyState, UploadFault};
use stoa_call::TraceContext;
use stoa_call::deadline::within;
use stoa_engine::http::{ResponseBody, WasiBody};

/// Instances that one request is tried on at most: three that are dead tell that
/// a fourth is no better.
const ATTEMPTS: usize = 3;

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It takes no new requests.
    #[error("{0} is drained: it takes no requests until `stoa drain` lets it go on")]
    Drained(Arc<str>),
    /// It has no instance that may get traffic.
    #[error("{0} has no instance that is up")]
    NoInstance(Arc<str>),
    /// As many requests are under way as it may have.
    #[error("{upstream} has {limit} requests under way, which is its limit")]
    Busy {
        /// The upstream.
        upstream: Arc<str>,
        /// The limit that it was declared with.
        limit: u32,
    },
    /// No connection came about.
    #[error("{upstream} can't be reached at {instance}: {reason}")]
    Connect {
        /// The upstream.
        upstream: Arc<str>,
        /// The last instance that was tried.
        instance: String,
        /// What went wrong.
        reason: String,
    },
    /// The connection broke, or what came is no HTTP.
    #[error("{upstream} gave no answer at {instance}: {reason}")]
    Broken {
        /// The upstream.
        upstream: Arc<str>,
        /// The instance.
        instance: String,
        /// What went wrong.
        reason: String,
    },
    /// The response's head did not come in time.
    #[error("{0} did not answer in time")]
    Deadline(Arc<str>),
    /// All instances have failed too often, and are left alone for a while.
    #[error("the breakers of {upstream} are open{}; the next try may be in {retry_after:?}", by_whom(*held))]
    Open {
        /// The upstream.
        upstream: Arc<str>,
        /// When it is worth trying again.
        retry_after: Duration,
        /// Whether an operator holds them open.
        held: bool,
    },
    /// The request can't be sent on.
    #[error("the request can't be sent on: {0}")]
    Request(String),
    /// The request's body failed before there was an answer.
    #[error("the request could not be sent on whole: {0}")]
    Upload(UploadFault),
}

impl SendError {
    /// When another try may work; `None` if that is not known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Open { retry_after, .. } => Some(*retry_after),
            Self::Drained(_) => Some(intake::RETRY_AFTER),
            _ => None,
        }
    }
}

/// Why one attempt failed.
enum Failed {
    /// The instance did not see the request, whose body is here again.
    Unsent(WasiBody, SendError),
    /// It may have run.
    Sent(SendError),
}

impl Failed {
    /// The same, or what the request's body failed with before.
    fn blaming(self, upload: &RequestBodyState) -> Self {
        let fault = match &self {
            Self::Sent(SendError::Deadline(_)) => upload.fault_at_deadline(),
            Self::Sent(SendError::Broken { .. }) => upload.fault(),
            _ => None,
        };
        fault.map_or(self, |fault| Self::Sent(SendError::Upload(fault)))
    }
}

/// A response, with who gave it and what is held until its end.
pub(super) struct Answered {
    pub(super) response: Response<Incoming>,
    pub(super) instance: Arc<Instance>,
    pub(super) guard: (Serving, OwnedSemaphorePermit),
}

/// Sends a request to an instance of an upstream, and gives its response as soon as
/// the head is there; what breaks off after it is told with `trace`. No instance is
/// blamed for what comes of the request's body's failure, which `upload` tells.
///
/// # Errors
///
/// When there is no answer by `deadline`, of whatever cause.
pub async fn send(
    upstream: &Arc<Upstream>,
    request: Request<WasiBody>,
    upload: &RequestBodyState,
    (deadline, trace): (Instant, TraceContext),
) -> Result<Response<ResponseBody>, SendError> {
    let answered = ask(upstream, request, Wants::Answer, upload, deadline).await?;
    Ok(passed_on(upstream, answered, upload, trace))
}

/// The response as it is passed on.
pub(super) fn passed_on(
    upstream: &Arc<Upstream>,
    answered: Answered,
    upload: &RequestBodyState,
    trace: TraceContext,
) -> Response<ResponseBody> {
    let exchange = Exchange {
        upstream: upstream.clone(),
        instance: answered.instance,
        upload: upload.clone(),
        trace,
    };
    finish(exchange, answered.response, answered.guard)
}

/// Asks one instance after the other, until one may have run the request.
pub(super) async fn ask(
    upstream: &Arc<Upstream>,
    request: Request<WasiBody>,
    wants: Wants,
    upload: &RequestBodyState,
    deadline: Instant,
) -> Result<Answered, SendError> {
    let drained = |_| SendError::Drained(upstream.name.clone());
    upstream.intake.check().map_err(drained)?;
    let room = upstream.room.clone();
    let permit = room.try_acquire_owned().map_err(|_| SendError::Busy {
        upstream: upstream.name.clone(),
        limit: upstream.settings.limits.connections,
    })?;
    let (parts, mut body) = request.into_parts();
    let head = Head::of(upstream, parts, wants)?;
    let mut tried: Vec<Arc<Instance>> = Vec::new();
    let mut last = None;
    let mut attempts = 0;
    while attempts < ATTEMPTS {
        let Some(instance) = next(&upstream.members.all(), &tried) else {
            break;
        };
        tried.push(instance.clone());
        let admitted = match instance.breaker.admit(deadline.into()) {
            Ok(admitted) => admitted,
            Err(rejected) => {
                last.get_or_insert(SendError::Open {
                    upstream: upstream.name.clone(),
                    retry_after: rejected.retry_after,
                    held: rejected.held,
                });
                continue;
            }
        };
        attempts += 1;
        let serving = Serving::enter(instance.clone());
        let answered = attempt(upstream, &head, body, &instance, deadline).await;
        let answered = answered.map_err(|failed| failed.blaming(upload));
        admitted.settle(outcome(&answered));
        match answered {
            Ok(response) => {
                return Ok(Answered {
                    response,
                    instance,
                    guard: (serving, permit),
                });
            }
            Err(Failed::Unsent(back, error)) => {
                body = back;
                last = Some(error);
            }
            Err(Failed::Sent(error)) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| SendError::NoInstance(upstream.name.clone())))
}

/// What an attempt says of its instance. 502, 503 and 504 are its word that it can't
/// serve; other answers are the service's own.
fn outcome(answered: &Result<Response<Incoming>, Failed>) -> Outcome {
    match answered {
        Ok(response) if (502..=504).contains(&response.status().as_u16()) => Outcome::Failure,
        Ok(_) => Outcome::Success,
        Err(Failed::Sent(SendError::Request(_) | SendError::Upload(_))) => Outcome::Ignored,
        Err(_) => Outcome::Failure,
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

async fn attempt(
    upstream: &Upstream,
    head: &Head,
    body: WasiBody,
    instance: &Instance,
    deadline: Instant,
) -> Result<Response<Incoming>, Failed> {
    let (lender, lent) = lend(body);
    let request = head.request(instance, lent).map_err(Failed::Sent)?;
    let client = upstream.client(head.wants);
    let answered = within(deadline, client.request(request)).await;
    let (name, at) = (upstream.name.clone(), instance.origin.to_string());
    let fault = match answered {
        Ok(Ok(response)) => match head.fault(&response) {
            None => return Ok(response),
            Some(fault) => {
                return Err(Failed::Sent(SendError::Broken {
                    upstream: name,
                    instance: at,
                    reason: fault.to_owned(),
                }));
            }
        },
        Ok(Err(fault)) => fault,
        Err(_) => return Err(Failed::Sent(SendError::Deadline(name))),
    };
    let reason = describe(&fault);
    match lender.take_back() {
        Some(body) if fault.is_connect() => Err(Failed::Unsent(
            body,
            SendError::Connect {
                upstream: name,
                instance: at,
                reason,
            },
        )),
        // What is safe to repeat and has no body that is half sent.
        Some(body) if head.repeatable && body.is_end_stream() => Err(Failed::Unsent(
            body,
            SendError::Broken {
                upstream: name,
                instance: at,
                reason,
            },
        )),
        _ => Err(Failed::Sent(SendError::Broken {
            upstream: name,
            instance: at,
            reason,
        })),
    }
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
