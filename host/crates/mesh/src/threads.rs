//! Calls that move to the threads of the service's class.
//!
//! Everything of such a call happens there: its wait for an instance, the guest,
//! and what the guest does after its answer. Its caller waits here, with the same
//! deadline, and takes the call back when it gives up itself.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use tokio::runtime::Handle;

use super::breaker::Breaker;
use super::call::{CallError, call_here, http_here, report};
use super::upload::RequestBodyState;
use stoa_call::deadline::{Elapsed, within};
use stoa_call::{CallContext, TraceContext};
use stoa_engine::http::{BodyError, ResponseBody};
use stoa_engine::value::Val;
use stoa_engine::{Fault, FunctionIndex};
use stoa_service::revision::Revision;
use stoa_service::threads::Away;

/// As [`super::call()`], on other threads.
pub(super) async fn call(
    there: &Handle,
    revision: &Arc<Revision>,
    function: FunctionIndex,
    context: &CallContext,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), CallError> {
    let (context, callee) = (context.clone(), revision.clone());
    let (deadline, trace) = (context.deadline, context.trace);
    let (params, slots) = (params.to_vec(), results.len());
    let begun = Begun::default();
    let there_begun = begun.clone();
    let work = async move {
        let mut values = vec![Val::Bool(false); slots];
        let begun = Some(&there_begun);
        call_here(&callee, function, &context, &params, &mut values, begun)
            .await
            .map(|()| values)
    };
    let mut values = away(there, deadline, &begun, work)
        .await
        .map_err(|missed| {
            let name = &revision.code.function(function).function;
            missed.told(revision, name, &trace)
        })?;
    results.swap_with_slice(&mut values);
    Ok(())
}

/// As [`super::http`], on other threads.
pub(super) async fn http<B>(
    there: &Handle,
    revision: &Arc<Revision>,
    request: http::Request<B>,
    context: CallContext,
    (breaker, upload): (&Arc<Breaker>, &RequestBodyState),
) -> Result<http::Response<ResponseBody>, CallError>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let (deadline, trace) = (context.deadline, context.trace);
    let (callee, breaker, there_upload) = (revision.clone(), breaker.clone(), upload.clone());
    let begun = Begun::default();
    let there_begun = begun.clone();
    let work = async move {
        let told = (&breaker, &there_upload);
        http_here(&callee, request, context, told, Some(&there_begun)).await
    };
    let answered = away(there, deadline, &begun, work).await;
    answered.map_err(|missed| {
        let missed = missed.blaming(upload);
        missed.told(revision, "wasi:http", &trace)
    })
}

/// Whether a call on other threads has got its instance, and late.
#[derive(Clone, Default)]
pub(super) struct Begun(Arc<OnceLock<bool>>);

impl Begun {
    /// It has.
    pub(super) fn set(&self, late: bool) {
        // There is one call.
        let _ = self.0.set(late);
    }

    /// What a call is that came to its deadline.
    fn missed(&self) -> CallError {
        match self.0.get() {
            Some(true) => CallError::LittleTime,
            Some(false) => CallError::Deadline,
            None => CallError::DeadlineInQueue,
        }
    }
}

/// Why there is no outcome: of the call itself, or seen by who waits for it.
enum Missed {
    /// Reported where it came about.
    There(CallError),
    /// Known only here.
    Here(CallError),
}

impl Missed {
    /// The same, or what the request's body failed with before.
    fn blaming(self, upload: &RequestBodyState) -> Self {
        match self {
            Self::Here(error) => Self::Here(error.blaming(upload)),
            there @ Self::There(_) => there,
        }
    }

    /// The error; the operator has been told of it.
    fn told(self, revision: &Revision, function: &str, trace: &TraceContext) -> CallError {
        match self {
            Self::Here(error @ (CallError::Deadline | CallError::LittleTime)) => {
                report(revision, function, trace, &error);
                error
            }
            Self::Here(error) | Self::There(error) => error,
        }
    }
}

/// Waits for work on other threads, up to the call's deadline. Those threads may
/// not run in time to see it themselves.
async fn away<T: Send + 'static>(
    there: &Handle,
    deadline: Instant,
    begun: &Begun,
    work: impl Future<Output = Result<T, CallError>> + Send + 'static,
) -> Result<T, Missed> {
    match within(deadline, Away::start(there, work)).await {
        Ok(Some(outcome)) => outcome.map_err(Missed::There),
        Ok(None) => Err(Missed::Here(CallError::Fault(Fault::InstanceLost))),
        Err(Elapsed) => Err(Missed::Here(begun.missed())),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    async fn missed(begun: &Begun) -> CallError {
        let never = pending::<Result<(), CallError>>();
        match away(&Handle::current(), Instant::now(), begun, never).await {
            Err(Missed::Here(error)) => error,
            _ => panic!("the call never ends"),
        }
    }

    #[tokio::test]
    async fn a_call_without_an_instance_at_its_deadline_has_not_run() {
        let begun = Begun::default();
        assert!(matches!(missed(&begun).await, CallError::DeadlineInQueue));
        begun.set(false);
        assert!(matches!(missed(&begun).await, CallError::Deadline));
        let late = Begun::default();
        late.set(true);
        assert!(matches!(missed(&late).await, CallError::LittleTime));
    }
}
