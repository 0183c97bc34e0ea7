//! Calls that move to the threads of the service's class.
//!
//! Everything of such a call happens there: its wait for an instance, the guest,
//! and what the guest does after its answer. Its caller waits here, with the same
//! deadline, and takes the call back when it gives up itself.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;

use super::breaker::Breaker;
use super::call::{CallError, call_here, http_here, report};
use super::deadline::{Elapsed, within};
use crate::capabilities::context::CallContext;
use crate::engine::http::{BodyError, ResponseBody};
use crate::engine::value::Val;
use crate::engine::{Fault, FunctionIndex};
use crate::service::revision::Revision;
use crate::service::threads::Away;

/// As [`super::call()`], on other threads.
pub(super) async fn call(
    there: &Handle,
    revision: &Arc<Revision>,
    function: FunctionIndex,
    context: CallContext,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), CallError> {
    let (callee, caller) = (revision.clone(), context.clone());
    let (params, slots) = (params.to_vec(), results.len());
    let work = async move {
        let mut values = vec![Val::Bool(false); slots];
        call_here(&callee, function, context, &params, &mut values)
            .await
            .map(|()| values)
    };
    let name = &revision.code.function(function).function;
    let values = away(there, revision, name, &caller, work).await?;
    results.clone_from_slice(&values);
    Ok(())
}

/// As [`super::http`], on other threads.
pub(super) async fn http<B>(
    there: &Handle,
    revision: &Arc<Revision>,
    request: http::Request<B>,
    context: CallContext,
    breaker: &Arc<Breaker>,
) -> Result<http::Response<ResponseBody>, CallError>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let (callee, caller, breaker) = (revision.clone(), context.clone(), breaker.clone());
    let work = async move { http_here(&callee, request, context, &breaker).await };
    away(there, revision, "wasi:http", &caller, work).await
}

/// Waits for work on other threads, up to the call's deadline. Those threads may
/// not run in time to see it themselves.
async fn away<T: Send + 'static>(
    there: &Handle,
    revision: &Revision,
    function: &str,
    context: &CallContext,
    work: impl Future<Output = Result<T, CallError>> + Send + 'static,
) -> Result<T, CallError> {
    match within(context.deadline, Away::start(there, work)).await {
        Ok(Some(outcome)) => outcome,
        Ok(None) => Err(CallError::Fault(Fault::InstanceLost)),
        Err(Elapsed) => {
            report(revision, function, &context.trace, &CallError::Deadline);
            Err(CallError::Deadline)
        }
    }
}
