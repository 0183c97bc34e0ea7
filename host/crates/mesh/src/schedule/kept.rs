//! What is kept of schedules on disk.
//!
//! One small record a schedule, written before each call and after, and one for each of
//! its last runs, in places that are used again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ScheduleName;
use stoa_api::RunOutcome;
use stoa_settings::schedule::Slot;
use stoa_store::{Change, Records, StoreError};

/// The kind of the records of schedules, by name.
const KIND: &str = "schedule";

/// Runs that are kept of a schedule: two days of an hourly one.
pub(super) const RUNS: u64 = 50;

/// What must be known of a schedule after a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Slots up to here are done with, whatever became of them.
    pub(super) after: Slot,
    /// Runs so far, those that an operator asked for among them.
    pub(super) runs: u64,
    /// Slots that nothing was called for.
    pub(super) missed: u64,
    /// The run under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) under_way: Option<Begun>,
    /// The last run that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Run>,
}

/// A run that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Counts the runs of its schedule, from 1.
    pub number: u64,
    /// Its slot; none where an operator asked for it.
    pub slot: Option<Slot>,
    /// When it began.
    pub started: Slot,
    /// Its trace, in hex.
    pub trace_id: String,
}

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// How it began.
    #[serde(flatten)]
    pub begun: Begun,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// What it came to.
    pub outcome: RunOutcome,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// All that is kept, and whose run the end of the host cut off.
pub(super) async fn read(
    records: &Arc<dyn Records>,
) -> Result<(BTreeMap<ScheduleName, Kept>, Vec<ScheduleName>), StoreError> {
    let (mut all, mut cut_off) = (BTreeMap::new(), Vec::new());
    for (key, record) in records.list(KIND).await? {
        let read = serde_json::from_value::<Kept>(record);
        let (Some(name), Ok(mut kept)) = (ScheduleName::parse(&key), read) else {
            tracing::error!(schedule = key, "its record can't be read: it begins anew");
            continue;
        };
        if let Some(begun) = kept.under_way.take() {
            tracing::warn!(
                service.name = name.service,
                trace.id = begun.trace_id,
                "the run of {} that began at {} was cut off by the end of the host",
                name.function,
                begun.started
            );
            kept.end(begun.ended(RunOutcome::CutOff, Duration::ZERO));
            cut_off.push(name.clone());
        }
        all.insert(name, kept);
    }
    Ok((all, cut_off))
}

/// The last runs of a schedule, the latest first.
pub(super) async fn runs(
    records: &Arc<dyn Records>,
    name: &ScheduleName,
) -> Result<Vec<Run>, StoreError> {
    let all = records.read_all::<Run>(&runs_kind(name)).await?;
    let mut runs: Vec<_> = all.into_iter().map(|(_, run)| run).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.begun.number));
    Ok(runs)
}

fn runs_kind(name: &ScheduleName) -> String {
    format!("schedule-run {name}")
}

/// The place of a run, which the one before [`RUNS`] others had.
fn place(number: u64) -> String {
    format!("{:02}", number % RUNS)
}

fn put(kind: &str, key: &str, record: &impl Serialize) -> Option<Change> {
    // It is made of numbers and strings, which JSON has.
    Change::put(kind, key, record).ok()
}

// === impl Begun ===

impl Begun {
    /// The same, once it has ended.
    pub(super) fn ended(self, outcome: RunOutcome, took: Duration) -> Run {
        Run {
            begun: self,
            micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            outcome,
            error: None,
        }
    }
}

// === impl Kept ===

impl Kept {
    /// Nothing has come of it yet: its slots are those after `now`.
    pub(super) fn new(now: Slot) -> Self {
        Self {
            after: now,
            ..Self::default()
        }
    }

    /// A run has ended.
    pub(super) fn end(&mut self, run: Run) {
        self.under_way = None;
        self.runs = run.begun.number;
        self.last = Some(run);
    }

    /// Writes it down.
    pub(super) fn written(&self, name: &ScheduleName) -> Option<Change> {
        put(KIND, &name.to_string(), self)
    }

    /// Writes its last run down.
    pub(super) fn last_written(&self, name: &ScheduleName) -> Option<Change> {
        let last = self.last.as_ref()?;
        put(&runs_kind(name), &place(last.begun.number), last)
    }

    /// Removes all of it.
    pub(super) fn removed(&self, name: &ScheduleName) -> impl Iterator<Item = Change> {
        let kind = runs_kind(name);
        // One may be under way.
        let numbers = 1..=(self.runs + 1).min(RUNS);
        let runs = numbers.map(move |number| Change::remove(&kind, &place(number)));
        runs.chain([Change::remove(KIND, &name.to_string())])
    }
}
