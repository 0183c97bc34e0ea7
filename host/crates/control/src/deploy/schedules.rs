//! Schedules: what of them a component can serve, what is deployed, and what an operator
//! makes of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::effects::Effects;
use super::state::{Deployed, Names, State};
use super::{ChangeError, Deployments, fault};
use stoa_api::{Fault, RunUnderWay, ScheduleDetail, ScheduleRun, ScheduleSummary};
use stoa_http::shutdown::Drain;
use stoa_mesh::ScheduleName;
use stoa_mesh::schedule::{Begun, NotBegun, Run, Shown, Wanted};
use stoa_service::contract::types::{Shape, Type};
use stoa_service::contract::{Contract, Function};
use stoa_settings::config::faults::{meant, nearest};
use stoa_settings::{FunctionName, Schedule, Settings};
use stoa_store::StoreError;

/// Functions that the clock calls.
pub(super) type Table = BTreeMap<FunctionName, Schedule>;

/// Why a schedule is not as an operator wants it.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// There is no such schedule.
    #[error("{service} has no schedule of {function:?}{hint}")]
    Unknown {
        /// The service.
        service: String,
        /// What was asked for.
        function: String,
        /// What may have been meant.
        hint: String,
    },
    /// It does not begin.
    #[error("{0} is not run: {1}")]
    NotBegun(ScheduleName, NotBegun),
    /// There is no such service, or the disk failed.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<StoreError> for ScheduleError {
    fn from(error: StoreError) -> Self {
        Self::Change(error.into())
    }
}

impl Deployments {
    /// Calls by the clock what is deployed, until the drain.
    pub fn keep_time(&self, drain: Drain) -> impl Future<Output = ()> + Send + use<> {
        self.parts.schedules.clone().keep_time(drain)
    }

    /// All schedules.
    pub fn schedules(&self) -> Vec<ScheduleSummary> {
        self.parts.schedules.list().iter().map(summary).collect()
    }

    /// One schedule, with its last runs.
    ///
    /// # Errors
    ///
    /// When it is not there, or the disk fails.
    pub async fn schedule(
        &self,
        service: &str,
        function: &str,
    ) -> Result<ScheduleDetail, ScheduleError> {
        let name = self.schedule_name(&self.state.load(), service, function)?;
        let shown = self.parts.schedules.show(&name);
        let shown =
            shown.ok_or_else(|| self.no_schedule(&self.state.load(), &name.service, function))?;
        let runs = self.parts.schedules.runs(&name).await?;
        Ok(ScheduleDetail {
            summary: summary(&shown),
            runs: runs.iter().map(run).collect(),
        })
    }

    /// Begins a run, whose slots stay where they are.
    ///
    /// # Errors
    ///
    /// When the schedule is not there, or a run of it is under way.
    pub fn run_schedule(
        &self,
        service: &str,
        function: &str,
    ) -> Result<RunUnderWay, ScheduleError> {
        let name = self.schedule_name(&self.state.load(), service, function)?;
        match self.parts.schedules.run_now(&name) {
            Ok(begun) => {
                tracing::info!(
                    service.name = service,
                    trace.id = begun.trace_id,
                    "{function} is run for an operator"
                );
                Ok(under_way(&begun))
            }
            Err(reason) => Err(ScheduleError::NotBegun(name, reason)),
        }
    }

    /// Has the slots of a schedule pass without a call, or not any more. It stays so over
    /// deployments and restarts.
    ///
    /// # Errors
    ///
    /// When it is not there, or the disk fails. Nothing has changed then.
    pub async fn pause_schedule(
        self: &Arc<Self>,
        service: &str,
        function: &str,
        paused: bool,
    ) -> Result<ScheduleDetail, ScheduleError> {
        let change = |state: &State| {
            let name = self.schedule_name(state, service, function)?;
            Ok::<_, ScheduleError>(pause(state, name, paused)?)
        };
        self.end(change).await?;
        self.schedule(service, function).await
    }

    fn schedule_name(
        &self,
        state: &State,
        service: &str,
        function: &str,
    ) -> Result<ScheduleName, ScheduleError> {
        let deployed = state.find(service, &self.upstream_names())?;
        let name = FunctionName::try_from(function.to_owned()).ok();
        let name = name.filter(|name| deployed.schedules().contains_key(name));
        let name = name.map(|function| ScheduleName {
            service: service.to_owned(),
            function,
        });
        name.ok_or_else(|| self.no_schedule(state, service, function))
    }

    fn no_schedule(&self, state: &State, service: &str, function: &str) -> ScheduleError {
        let deployed = state.services.get(service);
        let known = deployed.into_iter().flat_map(|one| one.schedules().keys());
        let known: Vec<_> = known.map(FunctionName::to_string).collect();
        let look = "`stoa schedule ls` lists those that are deployed";
        ScheduleError::Unknown {
            service: service.to_owned(),
            function: function.to_owned(),
            hint: meant(function, known.iter().map(String::as_str), look),
        }
    }
}

/// A schedule is paused, or is not any more.
pub(super) fn pause(
    state: &State,
    name: ScheduleName,
    paused: bool,
) -> Result<(State, Effects), ChangeError> {
    let mut next = state.clone();
    match paused {
        true => next.paused.insert(name),
        false => next.paused.remove(&name),
    };
    Effects::of(state, next)
}

// === impl State ===

impl State {
    /// What becomes of schedules: of these services, and of those that are paused or not
    /// any more.
    pub(super) fn wanted(&self, effects: &Effects) -> Wanted {
        let services = effects.schedules.iter().map(|name| {
            let deployed = self.services.get(name);
            (name.clone(), deployed.map(|one| one.schedules().clone()))
        });
        let paused = effects.paused.iter();
        Wanted {
            services: services.collect(),
            paused: paused
                .map(|name| (name.clone(), self.paused.contains(name)))
                .collect(),
        }
    }
}

// === impl Deployed ===

impl Deployed {
    /// The schedules of the service: those of the revision with most of the traffic,
    /// whether it could be loaded or not.
    pub(super) fn schedules(&self) -> &Table {
        static NONE: Table = Table::new();
        let primary = self.record.live.first();
        let revision = primary.and_then(|live| self.record.revision(live.revision));
        revision.map_or(&NONE, |revision| &revision.settings.schedules)
    }
}

/// Names of services whose schedules differ.
pub(super) fn differing(before: &State, next: &State, changed: &Names) -> Names {
    let of = |state: &State, name: &str| state.services.get(name).cloned();
    let differs = |name: &&String| match (of(before, name), of(next, name)) {
        (was, Some(now)) => {
            was.as_ref().map_or(&Table::new(), |was| was.schedules()) != now.schedules()
        }
        // What is kept of those that it had once goes, too.
        (_, None) => true,
    };
    changed.iter().filter(differs).cloned().collect()
}

/// What of a revision's schedules its component can't serve.
pub(super) fn unservable(service: &str, settings: &Settings, contract: &Contract) -> Vec<Fault> {
    let wanted = settings.schedules.keys();
    let faults = wanted.filter_map(|name| {
        let reason = match contract.function(name) {
            None => not_there(name, contract),
            Some((_, function)) => not_callable(function)?,
        };
        let message = format!("the schedule of {service} calls {name}, {reason}");
        Some(fault(service, "schedule_target", message))
    });
    faults.collect()
}

fn not_there(wanted: &FunctionName, contract: &Contract) -> String {
    let interfaces = contract.exports().iter();
    let exported = interfaces.flat_map(|interface| {
        let functions = interface.functions.iter();
        functions.map(move |one| format!("{}.{}", interface.name.unversioned(), one.name))
    });
    let exported: Vec<_> = exported.collect();
    let known = exported.iter().map(String::as_str);
    match (nearest(&wanted.to_string(), known), exported.is_empty()) {
        (Some(near), _) => {
            format!("which the component does not export; did you mean {near}?")
        }
        (None, false) => format!("but the component exports {}", exported.join(", ")),
        (None, true) => "but the component exports no function".to_owned(),
    }
}

fn not_callable(function: &Function) -> Option<String> {
    let is_option = |ty: &Type| match ty {
        Type::Defined(definition) => matches!(definition.shape, Shape::Option(_)),
        _ => false,
    };
    let told = "but a clock has nothing to tell it: expected a function without parameters, or with options alone";
    if let Some(param) = function.params.iter().find(|param| !is_option(&param.ty)) {
        return Some(format!("which takes {}: {}, {told}", param.name, param.ty));
    }
    (!function.is_plain()).then(|| {
        "whose values belong to one instance: expected a function that returns nothing, or plain values".to_owned()
    })
}

fn summary(shown: &Shown) -> ScheduleSummary {
    ScheduleSummary {
        service: shown.name.service.clone(),
        function: shown.name.function.to_string(),
        settings: shown.schedule.clone(),
        paused: shown.paused,
        next: shown.next.map(|next| next.to_string()),
        under_way: shown.under_way.as_ref().map(under_way),
        last: shown.last.as_ref().map(run),
        missed: shown.missed,
    }
}

fn under_way(begun: &Begun) -> RunUnderWay {
    RunUnderWay {
        number: begun.number,
        slot: begun.slot.map(|slot| slot.to_string()),
        started: begun.started.to_string(),
        trace_id: begun.trace_id.clone(),
    }
}

fn run(run: &Run) -> ScheduleRun {
    let begun = under_way(&run.begun);
    ScheduleRun {
        number: begun.number,
        slot: begun.slot,
        started: begun.started,
        micros: run.micros,
        outcome: run.outcome,
        error: run.error.clone(),
        trace_id: begun.trace_id,
    }
}
