//! The way from a schedule to its function: by the guard, as every other.

use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;

use super::{SCHEDULE, ScheduleName};
use crate::fault::CallError;
use crate::guard::Terms;
use crate::guards::Guards;
use crate::own_error;
use crate::registry::Registry;
use crate::retry::Repeat;
use stoa_api::RunOutcome;
use stoa_call::{CallContext, TraceContext};
use stoa_engine::FunctionIndex;
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
            let service =
                service.ok_or_else(|| format!("{} has no live revision", name.service))?;
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
            Ok(()) => Ended::of(&results),
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
    fn of(results: &[Val]) -> Self {
        match own_error::of_results(results) {
            Some(error) => Self::new(RunOutcome::Error, error),
            None => Self {
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
            | CallError::Queue(_)
            | CallError::Upstream(_) => RunOutcome::Refused,
        };
        Self::new(outcome, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::discovery::Discovery;
    use stoa_engine::Fault;

    #[tokio::test]
    async fn without_a_live_revision_nothing_is_called() {
        let caller = Caller {
            registry: Arc::default(),
            guards: Guards::new(&Arc::default(), &Arc::new(Discovery::new(0))),
        };
        let name = ScheduleName::parse("order/a:b/c.d");
        let name = name.unwrap();
        let schedule = Schedule::default();
        let ended = caller.call(&name, &schedule, TraceContext::root());
        let expected = Ended::refused("order has no live revision".to_owned());
        assert_eq!(ended.await, expected);
    }

    #[test]
    fn a_refusal_of_the_hosts_is_no_failure_of_the_functions() {
        let full = PoolError::QueueFull {
            busy: 1,
            queue: 1,
            retry_after: Duration::ZERO,
        };
        let open = CallError::BreakerOpen {
            retry_after: Duration::ZERO,
            held: false,
        };
        let start = PoolError::Start(Fault::InstanceLost);
        for (error, outcome) in [
            (full.into(), RunOutcome::Refused),
            (open, RunOutcome::Refused),
            (CallError::Drained, RunOutcome::Refused),
            (CallError::DeadlineInQueue, RunOutcome::Refused),
            (CallError::Deadline, RunOutcome::Deadline),
            (start.into(), RunOutcome::Trap),
            (Fault::InstanceLost.into(), RunOutcome::Trap),
        ] {
            assert_eq!(Ended::failed(&error).outcome, outcome, "{error}");
        }
    }

    #[test]
    fn an_error_is_told_in_the_functions_words() {
        let text = |text: &str| Val::String(text.to_owned());
        let variant = |case: &str, payload| Val::Variant(case.to_owned(), Some(Box::new(payload)));
        let violation = Val::Record(vec![
            ("pointer".to_owned(), text("/lines/0")),
            ("detail".to_owned(), text("too many")),
        ]);
        for (error, told) in [
            (text("nothing is in stock"), "nothing is in stock"),
            (
                variant("conflict", text("it is gone")),
                "conflict: it is gone",
            ),
            (
                variant("invalid", Val::List(vec![violation])),
                "invalid: /lines/0: too many",
            ),
            (Val::U8(7), "U8(7)"),
        ] {
            let result = Val::Result(Err(Some(Box::new(error))));
            let ended = Ended::of(&[result]);
            assert_eq!(
                (ended.outcome, ended.error.as_deref()),
                (RunOutcome::Error, Some(told))
            );
        }
        let long = Val::Result(Err(Some(Box::new(text(&"ä".repeat(2000))))));
        let told = Ended::of(&[long]).error.unwrap();
        assert_eq!(told.chars().count(), LONGEST_ERROR + 1);
        for well in [vec![], vec![Val::U8(7)], vec![Val::Result(Ok(None))]] {
            assert_eq!(Ended::of(&well).outcome, RunOutcome::Succeeded);
        }
    }
}
