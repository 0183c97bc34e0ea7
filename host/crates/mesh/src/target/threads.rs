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

use super::handler::Listening;
use super::{Function, Handler};
use crate::fault::CallError;
use stoa_call::CallContext;
use stoa_call::deadline::{Elapsed, within};
use stoa_engine::Fault;
use stoa_engine::http::{BodyError, ResponseBody};
use stoa_engine::value::Val;
use stoa_service::threads::Away;

/// The threads that a call moves to.
#[derive(Clone, Copy)]
pub(super) struct Elsewhere<'a>(pub(super) &'a Handle);

impl Elsewhere<'_> {
    /// As [`Function::call`], on other threads.
    pub(super) async fn call(
        self,
        function: &Function,
        context: &CallContext,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<(), CallError> {
        let (callee, context) = (function.clone(), context.clone());
        let (deadline, params, slots) = (context.deadline, params.to_vec(), results.len());
        let begun = Begun::default();
        let there_begun = begun.clone();
        let work = async move {
            let mut values = vec![Val::Bool(false); slots];
            let begun = Some(&there_begun);
            let called = callee.call_here(&context, &params, &mut values, begun);
            called.await.map(|()| values)
        };
        let mut values = self.wait(deadline, &begun, work).await?;
        results.swap_with_slice(&mut values);
        Ok(())
    }

    /// As [`Handler::http`], on other threads.
    pub(super) async fn http<B>(
        self,
        handler: &Handler,
        request: http::Request<B>,
        context: CallContext,
        listening: Listening<'_>,
    ) -> Result<http::Response<ResponseBody>, CallError>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        let (callee, deadline) = (handler.clone(), context.deadline);
        let (gate, upload) = (listening.gate.clone(), listening.upload.clone());
        let begun = Begun::default();
        let there_begun = begun.clone();
        let work = async move {
            let listening = Listening {
                gate: &gate,
                upload: &upload,
            };
            let begun = Some(&there_begun);
            callee.http_here(request, context, listening, begun).await
        };
        self.wait(deadline, &begun, work).await
    }

    /// Waits for work on other threads, up to the call's deadline. Those threads may
    /// not run in time to see it themselves.
    async fn wait<T: Send + 'static>(
        self,
        deadline: Instant,
        begun: &Begun,
        work: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        match within(deadline, Away::start(self.0, work)).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Err(CallError::Fault(Fault::InstanceLost)),
            Err(Elapsed) => Err(begun.missed()),
        }
    }
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

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    async fn missed(begun: &Begun) -> CallError {
        let never = pending::<Result<(), CallError>>();
        let here = Handle::current();
        match Elsewhere(&here).wait(Instant::now(), begun, never).await {
            Err(error) => error,
            Ok(()) => panic!("the call never ends"),
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
