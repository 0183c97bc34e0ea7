//! The way from a schedule to its function: by the guard, as every other.

use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;

use super::{SCHEDULE, ScheduleName};
use crate::fault::CallError;
use crate::guard::Terms;
use crate::guards::Guards;
use crate::registry::Registry;
use crate::retry::Repeat;
use stoa_api::RunOutcome;
use stoa_call::{CallContext, TraceContext};
use stoa_engine::FunctionIndex;
use stoa_engine::service_error::ServiceError;
use stoa_engine::value::{FunctionType, Type, Val};
use stoa_service::pool::PoolError;
use stoa_service::revision::Revision;
use stoa_settings::{FunctionName, Priority, Schedule};

/// Letters of an error that are kept: what says more says it in the log.
const LONGEST_ERROR: usize = 1000;

/// Who makes the calls of schedules.
pub trait Call: Send + Sync {
    /// Makes one.
    fn call<'a>(
        &'a self,
        name: &'a ScheduleName,
        schedule: &'a Schedule,
        trace: TraceContext,
    ) -> BoxFuture<'a, Ended>;
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// In a word.
    pub outcome: RunOutcome,
    /// What went wrong.
    pub error: Option<String>,
}

/// Calls the live revisions.
pub struct Caller {
    /// Where they are found.
    pub registry: Arc<Registry>,
    /// What guards them.
    pub guards: Arc<Guards>,
}

impl Call for Caller {
    fn call<'a>(
        &'a self,
        name: &'a ScheduleName,
        schedule: &'a Schedule,
        trace: TraceContext,
    ) -> BoxFuture<'a, Ended> {
        Box::pin(async move {
            match self.resolve(name) {
                Ok((revision, index)) => {
                    let target = Found { revision, index };
                    target.call(&self.guards, schedule, trace).await
                }
                Err(reason) => Ended::refused(reason),
            }
        })
    }
}

impl Caller {
    /// A live revision that has the function, by the traffic split where they all have.
    fn resolve(&self, name: &ScheduleName) -> Result<(Arc<Revision>, FunctionIndex), String> {
        self.registry.read(|snapshot| {
            let service = snapshot.services.get(&*name.service);
            let service = service
                .filter(|service| !service.live.is_empty())
                .ok_or_else(|| format!("{} has no live revision", name.service))?;
            let live = service.live.iter().map(|live| &live.revision);
            let found = std::iter::once(service.pick())
                .chain(live)
                .find_map(|revision| Some((revision.clone(), find(revision, &name.function)?)));
            found.ok_or_else(|| {
                format!(
                    "no live revision of {} exports {} without parameters",
                    name.service, name.function
                )
            })
        })
    }
}

fn find(revision: &Revision, name: &FunctionName) -> Option<FunctionIndex> {
    let index = revision.code.find(&name.interface, &name.function)?;
    let ty = &revision.code.function(index).ty;
    takes_nothing(ty).then_some(index)
}

/// Whether a function can be called without being told anything.
fn takes_nothing(ty: &FunctionType) -> bool {
    ty.params().all(|(_, ty)| matches!(ty, Type::Option(_)))
}

/// A function of a live revision.
struct Found {
    revision: Arc<Revision>,
    index: FunctionIndex,
}

impl Found {
    async fn call(self, guards: &Guards, schedule: &Schedule, trace: TraceContext) -> Ended {
        let guard = guards.function(&self.revision, self.index, SCHEDULE);
        let ty = &self.revision.code.function(self.index).ty;
        let params: Vec<_> = ty.params().map(|_| Val::Option(None)).collect();
        let mut results: Vec<_> = ty.results().map(|_| Val::Bool(false)).collect();
        let limit = self.revision.settings.limits.deadline;
        let context = CallContext {
            trace,
            priority: Priority::Low,
            ..CallContext::new(Instant::now() + schedule.deadline.unwrap_or(limit))
        };
        let terms = Terms::of(Repeat::Once);
        let called = guard.call(&context, &params, &mut results, &terms).await;
        match called.outcome {
            Ok(()) => Ended::of(results.first()),
            Err(error) => Ended::failed(&error),
        }
    }
}

// === impl Ended ===

impl Ended {
    /// The function was not called.
    pub(super) fn refused(reason: String) -> Self {
        Self::new(RunOutcome::Refused, reason)
    }

    fn new(outcome: RunOutcome, error: String) -> Self {
        let error = match error.char_indices().nth(LONGEST_ERROR) {
            Some((end, _)) => format!("{}…", &error[..end]),
            None => error,
        };
        Self {
            outcome,
            error: Some(error),
        }
    }

    /// By what the function returned.
    fn of(result: Option<&Val>) -> Self {
        match result {
            Some(Val::Result(Err(payload))) => {
                let error = payload.as_deref().map_or_else(no_reason, said);
                Self::new(RunOutcome::Error, error)
            }
            _ => Self {
                outcome: RunOutcome::Succeeded,
                error: None,
            },
        }
    }

    fn failed(error: &CallError) -> Self {
        let outcome = match error {
            CallError::Deadline | CallError::LittleTime => RunOutcome::Deadline,
            CallError::Fault(_) | CallError::Pool(PoolError::Start(_)) => RunOutcome::Trap,
            CallError::Pool(_)
            | CallError::DeadlineInQueue
            | CallError::BreakerOpen { .. }
            | CallError::Drained
            | CallError::Upload(_)
            | CallError::Upstream(_) => RunOutcome::Refused,
        };
        Self::new(outcome, error.to_string())
    }
}

fn no_reason() -> String {
    "it gives no reason".to_owned()
}

/// An error of a function's own, for people.
fn said(error: &Val) -> String {
    if let Val::String(text) = error {
        return text.clone();
    }
    match ServiceError::from_val(error) {
        Some(error) if error.violations.is_empty() => {
            format!("{}: {}", error.case.name(), error.detail)
        }
        Some(error) => {
            let found = error.violations.iter();
            let found: Vec<_> = found
                .map(|one| format!("{}: {}", one.pointer, one.detail))
                .collect();
            format!("{}: {}", error.case.name(), found.join("; "))
        }
        None => format!("{error:?}"),
    }
}
