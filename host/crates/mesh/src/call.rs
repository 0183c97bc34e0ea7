//! The path of every call: an instance, a deadline, and what became of it.

mod error;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::breaker::Breaker;
use super::retry::outcome;
use super::threads::{self, Begun};
use super::upload::RequestBodyState;
use stoa_call::deadline::{Elapsed, within};
use stoa_call::{CallContext, TraceContext};
use stoa_engine::http::{self as handler, BodyError, ResponseBody, Rest};
use stoa_engine::value::Val;
use stoa_engine::{Fault, FunctionIndex};
use stoa_service::pool::{ExclusiveLease, Lease};
use stoa_service::revision::Revision;
use stoa_settings::Priority;

pub use error::CallError;
pub(crate) use error::by_whom;

/// Calls a function of a revision and fills `results`, whose length is the
/// function's number of results.
///
/// # Errors
///
/// When no instance can be had in time, the deadline passes or the guest fails.
/// Whatever it is, it costs this call and at most its instance.
pub async fn call(
    revision: &Arc<Revision>,
    function: FunctionIndex,
    context: &CallContext,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), CallError> {
    match revision.pool.elsewhere() {
        None => call_here(revision, function, context, params, results, None).await,
        Some(there) => {
            let called = threads::call(there, revision, function, context, params, results);
            Box::pin(called).await
        }
    }
}

/// As [`call`], on the current thread. `begun` is told of the instance.
pub(super) async fn call_here(
    revision: &Revision,
    function: FunctionIndex,
    context: &CallContext,
    params: &[Val],
    results: &mut [Val],
    begun: Option<&Begun>,
) -> Result<(), CallError> {
    let deadline = context.deadline;
    let (lease, late) = acquire(revision, context, begun).await?;
    let called = match lease {
        Lease::Exclusive(mut lease) => {
            let called = within(deadline, lease.call(function, context, params, results)).await;
            flatten(called).map(|()| lease.keep())
        }
        Lease::Shared(lease) => {
            let instance = lease.instance();
            let called = instance.call(
                Box::new(lease),
                function,
                context.clone(),
                params.to_vec(),
                results.len(),
            );
            flatten(Box::pin(within(deadline, called)).await)
                .map(|mut values| results.swap_with_slice(&mut values))
        }
    };
    let called = called.map_err(|error| error.begun(late));
    called.inspect_err(|error| {
        report(
            revision,
            &revision.code.function(function).function,
            &context.trace,
            error,
        )
    })
}

/// Asks a revision's `stoa:service/health.check` whether it may get traffic.
///
/// # Errors
///
/// Why not: in the service's own words, or what went wrong with the call.
pub async fn check_health(revision: &Arc<Revision>, check: FunctionIndex) -> Result<(), String> {
    let context = CallContext {
        priority: Priority::High,
        ..CallContext::new(revision.deadline(None))
    };
    let mut results = [Val::Bool(false)];
    call(revision, check, &context, &[], &mut results)
        .await
        .map_err(|error| error.to_string())?;
    match &results[0] {
        Val::Result(Err(Some(reason))) => match reason.as_ref() {
            Val::String(reason) => Err(reason.clone()),
            _ => Err("it gives no reason".to_owned()),
        },
        Val::Result(Err(None)) => Err("it gives no reason".to_owned()),
        _ => Ok(()),
    }
}

/// Passes a request to a revision's own HTTP handler. What the handler does after
/// its answer goes on in the background, up to the deadline, or until its client leaves
/// where it ends then; a failure there is told to `breaker`, unless `upload` failed
/// before, or nobody takes the rest of the answer.
///
/// # Errors
///
/// As for [`call`].
pub async fn http<B>(
    revision: &Arc<Revision>,
    request: http::Request<B>,
    context: CallContext,
    (breaker, upload): (&Arc<Breaker>, &RequestBodyState),
) -> Result<http::Response<ResponseBody>, CallError>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    match revision.pool.elsewhere() {
        None => http_here(revision, request, context, (breaker, upload), None).await,
        Some(there) => {
            let told = (breaker, upload);
            let answered = threads::http(there, revision, request, context, told);
            Box::pin(answered).await
        }
    }
}

/// As [`http`], on the current thread. `begun` is told of the instance.
pub(super) async fn http_here<B>(
    revision: &Arc<Revision>,
    request: http::Request<B>,
    context: CallContext,
    (breaker, upload): (&Arc<Breaker>, &RequestBodyState),
    begun: Option<&Begun>,
) -> Result<http::Response<ResponseBody>, CallError>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let deadline = context.deadline;
    let trace = context.trace;
    let (tie, safe) = (context.tie.clone(), request.method().is_safe());
    let (lease, late) = acquire(revision, &context, begun).await?;
    let fair = !late && revision.has_fair_time(Instant::now(), deadline);
    let answered = match lease {
        Lease::Exclusive(lease) => {
            let exchange = handler::start(lease, request, context)?;
            let answered = flatten(within(deadline, exchange).await);
            answered.map(|answer| {
                let told = (breaker, upload);
                // Who is no client leaves as one does that says nothing of it.
                let ends = tie.map_or(safe, |tie| tie.ends());
                let rest = (answer.rest, ends);
                go_on(revision, rest, (deadline, fair), trace, told);
                answer.response
            })
        }
        Lease::Shared(lease) => {
            let instance = lease.instance();
            let answered = instance.http(Box::new(lease), request, context);
            flatten(Box::pin(within(deadline, answered)).await)
        }
    };
    answered
        .map_err(|error| error.begun(late).blaming(upload))
        .inspect_err(|error| report(revision, "wasi:http", &trace, error))
}

/// Lets a guest that has answered work on, for instance at its body, up to a
/// deadline that may be a fair one, or until nobody takes that body if it `ends` then.
fn go_on(
    revision: &Arc<Revision>,
    (rest, ends): (Rest<ExclusiveLease>, bool),
    (deadline, fair): (Instant, bool),
    trace: TraceContext,
    (breaker, upload): (&Arc<Breaker>, &RequestBodyState),
) {
    let (mut running, fate, audience) = match rest {
        Rest::Ended(lease) => return lease.keep(),
        Rest::Running(running, fate, audience) => (running, fate, audience),
    };
    let (revision, breaker, upload) = (revision.clone(), breaker.clone(), upload.clone());
    tokio::spawn(async move {
        let work = async {
            tokio::select! {
                biased;
                ran = &mut running => Some(ran),
                () = audience.left(), if ends => None,
            }
        };
        let (ended, unheard) = match within(deadline, work).await {
            Ok(None) => {
                let service = &*revision.service;
                return tracing::debug!(service, "a client left its answer, which ends with it");
            }
            Ok(Some((lease, Ok(())))) => return lease.keep(),
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
            let service = &*revision.service;
            return tracing::debug!(service, "nobody took the rest of an answer: {ended}");
        }
        let ended = ended.blaming(&upload);
        breaker.record(outcome(&ended, fair));
        report(&revision, "wasi:http (after its answer)", &trace, &ended);
    });
}

/// An instance, and whether the call had to wait for it until too little time is left
/// to blame the revision for what becomes of it.
async fn acquire(
    revision: &Revision,
    context: &CallContext,
    begun: Option<&Begun>,
) -> Result<(Lease, bool), CallError> {
    let deadline = context.deadline;
    let lease = within(deadline, revision.pool.acquire(context)).await;
    let lease = lease.map_err(|Elapsed| CallError::DeadlineInQueue)??;
    let late = |since| !revision.has_fair_time(since, deadline);
    let late = lease.since().is_some_and(late);
    if let Some(tie) = &context.tie {
        tie.begin();
    }
    if let Some(begun) = begun {
        begun.set(late);
    }
    Ok((lease, late))
}

fn flatten<T>(outcome: Result<Result<T, Fault>, Elapsed>) -> Result<T, CallError> {
    Ok(outcome??)
}

/// Tells the operator what the client is not told.
pub(super) fn report(revision: &Revision, function: &str, trace: &TraceContext, error: &CallError) {
    if let CallError::Upload(_) | CallError::Fault(Fault::Request(_)) = error {
        return tracing::debug!(
            service = &*revision.service,
            function,
            trace.id = format_args!("{:032x}", trace.trace_id),
            "a request failed its call: {error}"
        );
    }
    tracing::error!(
        service.name = &*revision.service,
        service.version = revision.number,
        function,
        trace.id = format_args!("{:032x}", trace.trace_id),
        "call failed: {error}"
    );
}
