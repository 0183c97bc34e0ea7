//! The one way into a service: let in, asked, recorded, told of, perhaps asked again.
//!
//! Every call that somebody waits for goes through a [`Guard`], whoever makes it: the
//! gateway, another component, the host itself. What it leads to is its [`Target`].
//! Routes keep theirs; nothing is looked up for a call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::breaker::Outcome;
use super::fault::{CallError, UpstreamFault};
use super::gate::{Admitted, Gate};
use super::retry::{Repeat, outcome};
use super::target::{Function, Handler, Kept, Listening, Queue, Target};
use super::upload::RequestBodyState;
use super::upstream::{Answered, Switched, Upstream, Wants};
use stoa_call::{CallContext, TraceContext};
use stoa_engine::http::{BodyError, ResponseBody, WasiBody};
use stoa_engine::value::Val;
use stoa_service::revision::is_fair;
use stoa_store::log::Appended;

/// A target, and what lets calls through to it.
pub struct Guard<T> {
    gate: Arc<Gate>,
    target: T,
}

/// What is known of a call once it is on its way.
#[derive(Clone, Copy)]
struct Asked {
    deadline: Instant,
    began: Instant,
    trace: TraceContext,
}

/// How a function is called.
#[derive(Clone, Copy)]
pub struct Terms {
    /// Whether it may be called twice.
    pub repeat: Repeat,
    /// Now: whoever calls has just read the clock.
    pub now: Instant,
}

/// What a call came to.
pub struct Called {
    /// Its results, or why there are none.
    pub outcome: Result<(), CallError>,
    /// How long it took, with all its tries.
    pub took: Duration,
}

impl<T: Target> Guard<T> {
    /// The way to `target` through `gate`.
    pub fn new(gate: Arc<Gate>, target: T) -> Self {
        Self { gate, target }
    }

    /// What it leads to.
    pub fn target(&self) -> &T {
        &self.target
    }

    /// Lets a call through to a service that takes some; each call is asked for again.
    ///
    /// # Errors
    ///
    /// While the service is drained.
    pub fn check(&self) -> Result<(), CallError> {
        self.gate.check()
    }

    /// When a call that begins `now` must have ended, if its caller waits until `caller`.
    pub fn deadline(&self, caller: Instant, now: Instant) -> Instant {
        caller.min(now + self.target.time_limit())
    }

    /// Counts what a call `said` of its target, and tells the operator of a failure; gives
    /// when it ended.
    fn settle(
        &self,
        admitted: Admitted<'_>,
        asked: &Asked,
        said: Result<Outcome, &CallError>,
    ) -> Instant {
        let error = match said {
            Ok(outcome) => return admitted.settle(outcome),
            Err(error) => error,
        };
        let time = asked.deadline.saturating_duration_since(asked.began);
        let fair = is_fair(time, self.target.time_limit());
        let ended = admitted.settle(outcome(error, fair));
        self.target.report(&asked.trace, error);
        ended
    }
}

impl Guard<Function> {
    /// Calls the function and fills `results`, whose length is its number of results.
    ///
    /// It fails when the service is drained, its breaker is open, no instance can be had in
    /// time, the deadline passes or the guest fails. Whatever it is, it costs this call and
    /// at most its instance.
    pub async fn call(
        &self,
        context: &CallContext,
        params: &[Val],
        results: &mut [Val],
        terms: &Terms,
    ) -> Called {
        let (mut retried, mut earlier) = (0, None);
        let mut now = terms.now;
        loop {
            let outcome = match self.gate.admit(context.deadline, now) {
                Ok(admitted) => {
                    let called = self.target.call(context, params, results).await;
                    let said = called.as_ref().map(|()| Outcome::Success);
                    now = self.settle(admitted, &Asked::of(context, now), said);
                    called
                }
                Err(refused) => Err(refused),
            };
            if retried > 0 {
                self.gate.retried(&outcome);
            }
            let Err(error) = outcome else {
                return terms.ended(Ok(()), now);
            };
            let again = self
                .gate
                .again(&error, terms.repeat, retried, context.deadline);
            // Boxed: few calls fail, and each one's future would have room for it.
            let again = Box::pin(again).await;
            let error = error.or_earlier(earlier);
            if !again {
                return terms.ended(Err(error), now);
            }
            earlier = Some(error);
            retried += 1;
            now = Instant::now();
        }
    }
}

impl Guard<Handler> {
    /// Passes a request to the handler. It is made once: its body is gone with the first
    /// try. Nothing counts against the revision that goes wrong after that body,
    /// `upload`, has failed. What the handler does after its answer goes on in the
    /// background, up to the deadline, or until its client leaves where it ends then.
    ///
    /// # Errors
    ///
    /// As for a function.
    pub async fn http<B>(
        &self,
        request: http::Request<B>,
        context: CallContext,
        upload: &RequestBodyState,
    ) -> Result<http::Response<ResponseBody>, CallError>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        let asked = Asked::of(&context, Instant::now());
        let admitted = self.gate.admit(asked.deadline, asked.began)?;
        let listening = Listening {
            gate: &self.gate,
            upload,
        };
        let answered = self.target.http(request, context, listening).await;
        let answered = answered.map_err(|error| upload.blame(error));
        let said = answered
            .as_ref()
            // As every breaker before an HTTP service counts.
            .map(|response| match response.status().is_server_error() {
                true if upload.fault().is_none() => Outcome::Failure,
                true => Outcome::Ignored,
                false => Outcome::Success,
            });
        self.settle(admitted, &asked, said);
        answered
    }
}

impl Guard<Queue> {
    /// Keeps a call that is made later; it is on disk then.
    ///
    /// # Errors
    ///
    /// When the queue holds as much as it may, or the store fails.
    pub async fn keep(&self, context: &CallContext, call: Kept) -> Result<Appended, CallError> {
        let now = Instant::now();
        let asked = Asked::of(context, now);
        let admitted = self.gate.admit(asked.deadline, now)?;
        let kept = self.target.keep(call, self.deadline(asked.deadline, now));
        let kept = kept.await;
        self.settle(admitted, &asked, kept.as_ref().map(|_| Outcome::Success));
        kept
    }
}

impl Guard<Arc<Upstream>> {
    /// The way to an upstream. Each of its instances has a breaker of its own.
    pub fn of(upstream: Arc<Upstream>) -> Self {
        Self::new(upstream.gate.clone(), upstream)
    }

    /// Sends a request to an instance of the upstream, and gives its response as soon as
    /// the head is there. No instance is blamed for what comes of the failure of the
    /// request's body, which `upload` tells.
    ///
    /// # Errors
    ///
    /// When the upstream is drained, or there is no answer by the deadline, of whatever
    /// cause.
    pub async fn http(
        &self,
        request: http::Request<WasiBody>,
        context: &CallContext,
        upload: &RequestBodyState,
    ) -> Result<http::Response<ResponseBody>, CallError> {
        let asked = Asked::of(context, Instant::now());
        let answered = self.ask(request, Wants::Answer, asked, upload).await?;
        Ok(answered.passed_on(&self.target, upload, asked.trace))
    }

    /// Asks an instance of the upstream for a WebSocket.
    ///
    /// # Errors
    ///
    /// As for a request.
    pub async fn switch(
        &self,
        request: http::Request<WasiBody>,
        context: &CallContext,
        upload: &RequestBodyState,
    ) -> Result<Switched, CallError> {
        let asked = Asked::of(context, Instant::now());
        let answered = self.ask(request, Wants::WebSocket, asked, upload).await?;
        Ok(answered.switched(&self.target, upload, asked.trace))
    }

    /// An answer of the upstream's that is of no use to who asked, as a failure: the
    /// operator is told of it.
    pub fn useless(&self, reason: String, trace: &TraceContext) -> CallError {
        let error = CallError::from(UpstreamFault::Broken {
            upstream: self.target.name.clone(),
            instance: "one of its instances".to_owned(),
            reason,
        });
        self.target.report(trace, &error);
        error
    }

    async fn ask(
        &self,
        request: http::Request<WasiBody>,
        wants: Wants,
        asked: Asked,
        upload: &RequestBodyState,
    ) -> Result<Answered, CallError> {
        let admitted = self.gate.admit(asked.deadline, asked.began)?;
        let answered = self
            .target
            .ask(request, wants, upload, asked.deadline)
            .await;
        let said = answered.as_ref().map(|_| Outcome::Success);
        self.settle(admitted, &asked, said);
        answered
    }
}

// === impl Terms ===

impl Terms {
    /// As it may be called, from now on.
    pub fn of(repeat: Repeat) -> Self {
        let now = Instant::now();
        Self { repeat, now }
    }

    fn ended(&self, outcome: Result<(), CallError>, now: Instant) -> Called {
        Called {
            outcome,
            took: now.saturating_duration_since(self.now),
        }
    }
}

// === impl Asked ===

impl Asked {
    fn of(context: &CallContext, began: Instant) -> Self {
        Self {
            began,
            deadline: context.deadline,
            trace: context.trace,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;

    /// Keeps what the operator is told.
    #[derive(Default)]
    struct Told {
        service: Arc<str>,
        failures: Mutex<Vec<String>>,
    }

    impl Target for Told {
        fn service(&self) -> &Arc<str> {
            &self.service
        }

        fn number(&self) -> u64 {
            1
        }

        fn time_limit(&self) -> Duration {
            Duration::from_secs(4)
        }

        fn body_limit(&self) -> u64 {
            0
        }

        fn report(&self, _: &TraceContext, error: &CallError) {
            self.failures.lock().unwrap().push(error.to_string());
        }
    }

    #[tokio::test]
    async fn a_failure_is_told_once_and_an_answer_not_at_all() {
        let guard = Guard::new(Arc::new(Gate::free()), Told::default());
        let now = Instant::now();
        let context = CallContext::new(guard.deadline(now, now));
        let asked = Asked::of(&context, now);
        let error = CallError::Deadline;
        for said in [Ok(Outcome::Success), Ok(Outcome::Failure), Err(&error)] {
            let admitted = guard.gate.admit(asked.deadline, now).ok().unwrap();
            guard.settle(admitted, &asked, said);
        }
        let told = guard.target().failures.lock().unwrap();
        assert_eq!(*told, [error.to_string()]);
    }

    #[test]
    fn a_call_ends_when_its_caller_or_its_target_says_the_earlier() {
        let guard = Guard::new(Arc::new(Gate::free()), Told::default());
        let soon = Instant::now() + Duration::from_secs(1);
        assert_eq!(guard.deadline(soon, Instant::now()), soon);
        let late = Instant::now() + Duration::from_secs(60);
        assert!(guard.deadline(late, Instant::now()) <= late - Duration::from_secs(50));
    }
}
