//! What stands before a revision on one link: its breaker, its retries, its numbers.
//!
//! Every call that somebody waits for goes through a [`Guard`]: admitted, made,
//! recorded, perhaps made again. Routes and links keep theirs; nothing is looked
//! up for a call.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;

use super::breaker::{Breaker, Outcome, Rejected};
use super::call::{self, CallError};
use super::health::Health;
use super::intake::{Drained, Intake};
use super::retry::{Repeat, Retries, outcome};
use super::upload::RequestBodyState;
use stoa_call::CallContext;
use stoa_engine::FunctionIndex;
use stoa_engine::http::{BodyError, ResponseBody};
use stoa_engine::value::Val;
use stoa_service::revision::Revision;
use stoa_telemetry::metrics::RetryMetrics;

/// The way to one revision from the gateway, or from one service.
pub struct Guard {
    pub(super) breaker: Arc<Breaker>,
    pub(super) retries: Retries,
    pub(super) health: Arc<Health>,
    pub(super) metrics: Arc<RetryMetrics>,
    pub(super) intake: Arc<Intake>,
}

impl From<Rejected> for CallError {
    fn from(rejected: Rejected) -> Self {
        Self::BreakerOpen {
            retry_after: rejected.retry_after,
            held: rejected.held,
        }
    }
}

impl From<Drained> for CallError {
    fn from(_: Drained) -> Self {
        Self::Drained
    }
}

impl Guard {
    /// Lets a call through to a service that takes some; each call is asked for again.
    ///
    /// # Errors
    ///
    /// While the service is drained.
    pub fn check(&self) -> Result<(), CallError> {
        Ok(self.intake.check()?)
    }

    /// Calls a function of the guarded revision, as [`call::call`] does.
    ///
    /// # Errors
    ///
    /// As [`call::call`], and when the breaker is open or the service is drained.
    pub async fn call(
        &self,
        revision: &Arc<Revision>,
        function: FunctionIndex,
        context: &CallContext,
        params: &[Val],
        results: &mut [Val],
        repeat: Repeat,
    ) -> Result<(), CallError> {
        let (mut retried, mut earlier) = (0, None);
        loop {
            let outcome = self
                .once(revision, function, context, params, results)
                .await;
            if retried > 0 {
                let count = match outcome {
                    Ok(()) => &self.metrics.succeeded,
                    Err(_) => &self.metrics.failed,
                };
                count.fetch_add(1, Ordering::Relaxed);
            }
            let Err(error) = outcome else { return Ok(()) };
            // Boxed: few calls fail, and each one's future would have room for it.
            let again = Box::pin(self.again(&error, repeat, retried, context.deadline)).await;
            let error = error.or_earlier(earlier);
            if !again {
                return Err(error);
            }
            earlier = Some(error);
            retried += 1;
        }
    }

    /// Passes a request to the guarded revision's own handler, as [`call::http`]
    /// does. It is made once: its body is gone with the first try. Nothing counts
    /// against the revision that goes wrong after that body, `upload`, has failed.
    ///
    /// # Errors
    ///
    /// As [`call::http`], and when the breaker is open or the service is drained.
    pub async fn http<B>(
        &self,
        revision: &Arc<Revision>,
        request: http::Request<B>,
        context: CallContext,
        upload: &RequestBodyState,
    ) -> Result<http::Response<ResponseBody>, CallError>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        self.check()?;
        let permit = self.breaker.admit(context.deadline.into())?;
        let began = tokio::time::Instant::now();
        let fair = revision.has_fair_time(began.into_std(), context.deadline);
        let told = (&self.breaker, upload);
        let answered = call::http(revision, request, context, told).await;
        let outcome = match &answered {
            // As every breaker before an HTTP service counts.
            Ok(response) if response.status().is_server_error() => match upload.fault() {
                None => Outcome::Failure,
                Some(_) => Outcome::Ignored,
            },
            Ok(_) => Outcome::Success,
            Err(error) => outcome(error, fair),
        };
        let now = tokio::time::Instant::now();
        self.health.record(outcome, now - began);
        permit.settle_at(outcome, now);
        answered
    }

    async fn once(
        &self,
        revision: &Arc<Revision>,
        function: FunctionIndex,
        context: &CallContext,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<(), CallError> {
        self.check()?;
        let permit = self.breaker.admit(context.deadline.into())?;
        let began = tokio::time::Instant::now();
        let fair = revision.has_fair_time(began.into_std(), context.deadline);
        let called = call::call(revision, function, context, params, results).await;
        let outcome = match &called {
            Ok(()) => Outcome::Success,
            Err(error) => outcome(error, fair),
        };
        let now = tokio::time::Instant::now();
        self.health.record(outcome, now - began);
        permit.settle_at(outcome, now);
        called
    }

    /// Whether a call is to be made again; waits until it is time.
    async fn again(
        &self,
        error: &CallError,
        repeat: Repeat,
        retried: u32,
        deadline: Instant,
    ) -> bool {
        let Some(wait) = self.retries.wait(error, repeat, retried, deadline) else {
            return false;
        };
        if !self.retries.take(self.breaker.read().calls()) {
            self.metrics.over_budget.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        tokio::time::sleep(wait).await;
        true
    }
}
