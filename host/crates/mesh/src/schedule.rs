//! Functions that the clock calls.
//!
//! ```text
//!  deployments ──► Schedules ◄── operators
//!                      │ changed
//!                   keeper: one task for all, which sleeps until the first is due
//!                      │ due
//!                   run: written down ──► called, by its guard ──► written down
//! ```
//!
//! - [`Schedules`] is what is known of all of them; [`entry`] is one, and decides what a
//!   moment means for it, without a clock or a store; [`kept`] is what is on disk;
//! - [`keeper`] begins what is due, [`run`] is one call with its records, [`call`] the
//!   way to the function; [`change`] is a deployment or an operator's word.
//!
//! A slot is written down before its call, so that no crash has it called twice: at most
//! once a slot. A schedule belongs to a service and not to a revision: its call goes to
//! whichever revision is live by then.

mod call;
mod change;
mod entry;
mod keeper;
mod kept;
mod name;
mod run;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, RwLock};

pub use call::{Call, Caller, Ended};
pub use change::{Changing, Wanted};
pub use kept::{Begun, Run};
pub use name::ScheduleName;

use entry::{Entry, Occasion};
use stoa_api::RunOutcome;
use stoa_http::shutdown::Drain;
use stoa_settings::Schedule;
use stoa_settings::schedule::Slot;
use stoa_store::{Records, StoreError};
use stoa_telemetry::Metrics;

/// The name of the link that the clock's calls come over.
pub const SCHEDULE: &str = "schedule";

/// What the schedules need of the host.
pub struct Parts {
    /// Who makes the calls.
    pub caller: Box<dyn Call>,
    /// What must be known after a restart.
    pub records: Arc<dyn Records>,
    /// Where runs are counted.
    pub metrics: Arc<Metrics>,
    /// The time of day.
    pub clock: Clock,
}

/// Tells the time of day, which may be set.
pub type Clock = Box<dyn Fn() -> Slot + Send + Sync>;

/// All schedules of the host.
pub struct Schedules {
    parts: Parts,
    all: Mutex<All>,
    /// Told when the keeper has something to look at.
    changed: Notify,
    /// Held by each run while it writes, and alone by who removes what they write.
    writing: RwLock<()>,
}

/// What is known of all schedules.
#[derive(Default)]
struct All {
    entries: BTreeMap<Arc<ScheduleName>, Entry>,
    /// When which is to be looked at, the first first.
    timers: BTreeSet<(Slot, Arc<ScheduleName>)>,
    /// What is to be looked at now.
    pending: Vec<(Arc<ScheduleName>, Occasion)>,
    /// Runs that began since the host did.
    tickets: u64,
    /// While runs may begin: what they hold.
    drain: Option<Drain>,
}

/// A schedule as it is now.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Whose, and which function.
    pub name: Arc<ScheduleName>,
    /// When.
    pub schedule: Schedule,
    /// Whether an operator has paused it.
    pub paused: bool,
    /// Its next slot.
    pub next: Option<Slot>,
    /// The run under way.
    pub under_way: Option<Begun>,
    /// The last run that ended.
    pub last: Option<Run>,
    /// Slots that nothing was called for.
    pub missed: u64,
}

/// Why a function is not called now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotBegun {
    /// There is no such schedule.
    #[error("there is no such schedule")]
    Unknown,
    /// One run at a time.
    #[error("a run of it is under way: wait for its end")]
    UnderWay,
    /// The host begins or ends.
    #[error("the host starts or drains: it begins no runs now")]
    NotNow,
}

impl Schedules {
    /// What is kept of schedules; none of them runs before it is deployed, and the
    /// [keeper](Schedules::keep_time) is there.
    ///
    /// # Errors
    ///
    /// When the records can't be read or written.
    pub async fn open(parts: Parts) -> Result<Arc<Self>, StoreError> {
        let (kept, cut_off) = kept::read(&parts.records).await?;
        let mut written = Vec::new();
        for name in &cut_off {
            let kept = &kept[name];
            written.extend([kept.written(name), kept.last_written(name)]);
            let metrics = &parts.metrics;
            let metrics = metrics.schedule(&name.service, &name.function.to_string());
            metrics.count(RunOutcome::CutOff, 1);
        }
        let written: Vec<_> = written.into_iter().flatten().collect();
        if !written.is_empty() {
            parts.records.apply(written).await?;
        }
        let entries = kept
            .into_iter()
            .map(|(name, kept)| (Arc::new(name), Entry::of(kept)));
        let all = All {
            entries: entries.collect(),
            ..All::default()
        };
        Ok(Arc::new(Self {
            parts,
            all: Mutex::new(all),
            changed: Notify::new(),
            writing: RwLock::new(()),
        }))
    }

    /// All that are deployed, by name.
    pub fn list(&self) -> Vec<Shown> {
        let all = self.lock();
        let shown = all.entries.iter();
        shown
            .filter_map(|(name, entry)| entry.shown(name))
            .collect()
    }

    /// One of them, if it is deployed.
    pub fn show(&self, name: &ScheduleName) -> Option<Shown> {
        let all = self.lock();
        let (name, entry) = all.entries.get_key_value(name)?;
        entry.shown(name)
    }

    /// Its last runs, the latest first.
    ///
    /// # Errors
    ///
    /// When the records can't be read.
    pub async fn runs(&self, name: &ScheduleName) -> Result<Vec<Run>, StoreError> {
        kept::runs(&self.parts.records, name).await
    }

    /// The services of which something is kept.
    pub fn services(&self) -> BTreeSet<String> {
        let all = self.lock();
        let names = all.entries.keys().map(|name| name.service.clone());
        names.collect()
    }

    fn now(&self) -> Slot {
        (self.parts.clock)()
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl All ===

impl All {
    /// Whether what was deployed is back, and runs may begin.
    fn is_running(&self) -> bool {
        self.drain.is_some()
    }

    /// Has the keeper look at one.
    fn look_at(&mut self, name: &Arc<ScheduleName>, occasion: Occasion) {
        self.pending.push((name.clone(), occasion));
    }

    /// Forgets when one was to be looked at.
    fn clear_timer(&mut self, name: &Arc<ScheduleName>) {
        let entry = self.entries.get_mut(name);
        if let Some(at) = entry.and_then(|entry| entry.timer.take()) {
            self.timers.remove(&(at, name.clone()));
        }
    }
}
