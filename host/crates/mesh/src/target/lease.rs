//! An instance for a call, within its time.

use std::pin::pin;

use stoa_call::CallContext;
use stoa_call::deadline::{Elapsed, within};
use stoa_engine::Fault;
use stoa_service::pool::Lease;
use stoa_service::revision::Revision;

use super::threads::Begun;
use crate::fault::CallError;

/// An instance, and whether the call had to wait for it until too little time is left
/// to blame the revision for what becomes of it. `begun` is told of it, too.
pub(super) async fn acquire<'r>(
    revision: &'r Revision,
    context: &CallContext,
    begun: Option<&Begun>,
) -> Result<(Lease<'r>, bool), CallError> {
    let deadline = context.deadline;
    let lease = within(deadline, pin!(revision.pool.acquire(context))).await;
    let lease = lease.map_err(|Elapsed| CallError::DeadlineInQueue)??;
    let late = |since| !revision.has_fair_time(since, deadline);
    let late = lease.since().is_some_and(late);
    // One that had to be made began before that.
    if let Some(tie) = &context.tie {
        tie.begin();
    }
    if let Some(begun) = begun {
        begun.set(late);
    }
    Ok((lease, late))
}

/// What came of an instance in its time.
pub(super) fn flatten<T>(outcome: Result<Result<T, Fault>, Elapsed>) -> Result<T, CallError> {
    Ok(outcome??)
}
