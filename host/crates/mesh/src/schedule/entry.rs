//! One schedule: what a moment means for it.
//!
//! Knows no clock, no store and no service: it is told the time, and says what to do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::kept::{Begun, Kept};
use super::{ScheduleName, Shown};
use stoa_api::RunOutcome;
use stoa_settings::schedule::{Slot, Times};
use stoa_settings::{Missed, Schedule};
use stoa_telemetry::metrics::ScheduleMetrics;

/// How late a call may begin and still be that of its slot: a machine that is busy takes
/// a while, one that slept through the slot was down.
const IN_TIME: Duration = Duration::from_secs(10);

/// How far a clock may be put back before what was done after that is taken for done at
/// a wrong time, as Vixie cron has it. Up to this, no slot comes twice.
pub(super) const PUT_RIGHT: Duration = Duration::from_secs(3 * 3600);

/// One schedule.
pub(super) struct Entry {
    pub(super) kept: Kept,
    pub(super) paused: bool,
    /// What is deployed. None where no live revision asks for it: what is kept stays,
    /// for one that does again.
    pub(super) active: Option<Active>,
    /// The next slot.
    pub(super) due: Option<Due>,
    /// When the keeper looks at it.
    pub(super) timer: Option<Slot>,
    /// The run under way, by its ticket.
    pub(super) running: Option<u64>,
}

/// A schedule that is deployed.
pub(super) struct Active {
    pub(super) schedule: Schedule,
    times: Times,
    pub(super) metrics: Arc<ScheduleMetrics>,
}

/// A slot to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) slot: Slot,
    /// When its call is made.
    pub(super) at: Slot,
}

/// Why the keeper looks at one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Its time has come.
    Due,
    /// It could not be called until now: slots may have passed.
    Able,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The slot's call is to be made.
    Begin(Slot),
    /// Nothing before this moment.
    Wait(Slot),
    /// Nothing until something changes.
    Rest,
}

// === impl Active ===

impl Active {
    /// What settings say, if they can be kept.
    pub(super) fn new(schedule: Schedule, metrics: Arc<ScheduleMetrics>) -> Result<Self, String> {
        Ok(Self {
            times: Times::of(&schedule)?,
            schedule,
            metrics,
        })
    }

    /// Whether its slots are those of these settings.
    pub(super) fn has_times_of(&self, other: &Schedule) -> bool {
        let own = &self.schedule;
        (own.every, &own.cron, &own.timezone) == (other.every, &other.cron, &other.timezone)
    }

    /// The next slot, and when its call is made: by lot, and before the slot after it.
    fn next(&self, after: Slot) -> Option<Due> {
        let slot = self.times.after(after)?;
        let jitter = self.schedule.jitter;
        if jitter.is_zero() {
            return Some(Due { slot, at: slot });
        }
        let room = self.times.after(slot).map(|then| then.since(slot));
        let most = room.map_or(jitter, |room| jitter.min(room));
        let at = slot.plus(most.mul_f64(fastrand::f64()));
        Some(Due { slot, at })
    }

    /// Which of the slots that have passed gets a call, though it comes late.
    fn make_up(&self, passed: &VecDeque<Slot>) -> Option<Slot> {
        match self.schedule.missed {
            Missed::All => {
                let first = passed.len().saturating_sub(Times::MOST_MADE_UP);
                passed.get(first).copied()
            }
            Missed::Once => passed.back().copied(),
            Missed::Skip => None,
        }
    }
}

// === impl Entry ===

impl Entry {
    /// What is kept of one that nothing asks for yet.
    pub(super) fn of(kept: Kept) -> Self {
        Self {
            kept,
            paused: false,
            active: None,
            due: None,
            timer: None,
            running: None,
        }
    }

    /// What is to be done `now`. A slot whose call is to be made is done with, and so are
    /// those before it.
    pub(super) fn look(&mut self, now: Slot, occasion: Occasion) -> Next {
        self.mind_the_clock(now);
        let Some(active) = self.active.as_ref().filter(|_| !self.paused) else {
            self.set_due(None);
            return Next::Rest;
        };
        let due = self.due.or_else(|| active.next(self.kept.after));
        let Some(next) = due else {
            return Next::Rest;
        };
        self.set_due(due);
        if self.running.is_some() {
            return Next::Rest;
        }
        if next.at > now {
            return Next::Wait(next.at);
        }
        let in_time = occasion == Occasion::Due && now.since(next.at) <= IN_TIME;
        // The slot after it may have come by now: that is another's call.
        match self.pass(now, in_time.then_some(next.slot)) {
            Some(slot) => Next::Begin(slot),
            None => self.due.map_or(Next::Rest, |next| Next::Wait(next.at)),
        }
    }

    /// Lets the slots up to `now` pass, but for the one that gets a call.
    fn pass(&mut self, now: Slot, in_time: Option<Slot>) -> Option<Slot> {
        let active = self.active.as_ref()?;
        let passed = active.times.passed(self.kept.after, now);
        let chosen = in_time.or_else(|| active.make_up(&passed));
        let missed = match chosen {
            Some(chosen) => passed.iter().filter(|slot| **slot < chosen).count(),
            None => passed.len(),
        };
        self.kept.after = chosen.or(passed.back().copied()).unwrap_or(now);
        if missed > 0 {
            self.kept.missed += missed as u64;
            active.metrics.count(RunOutcome::Missed, missed as u64);
        }
        let next = active.next(self.kept.after);
        self.set_due(next);
        chosen
    }

    /// Only slots after `now` are due from here on.
    pub(super) fn begin_anew(&mut self, now: Slot) {
        self.kept.after = self.kept.after.max(now);
        self.due = None;
    }

    fn set_due(&mut self, due: Option<Due>) {
        self.due = due;
        if let Some(active) = &self.active {
            active.metrics.set_next(due.map(|due| due.slot.0));
        }
    }

    /// What was done in a future that is no more says nothing of what is to be done.
    fn mind_the_clock(&mut self, now: Slot) {
        if self.kept.after > now.plus(PUT_RIGHT) {
            self.kept.after = now;
            self.due = None;
        }
    }

    /// A run begins.
    pub(super) fn begin(&mut self, slot: Option<Slot>, started: Slot, trace_id: String) -> Begun {
        let begun = Begun {
            number: self.kept.runs + 1,
            slot,
            started,
            trace_id,
        };
        self.kept.under_way = Some(begun.clone());
        begun
    }

    /// As it is told, if it is deployed.
    pub(super) fn shown(&self, name: &Arc<ScheduleName>) -> Option<Shown> {
        Some(Shown {
            name: name.clone(),
            schedule: self.active.as_ref()?.schedule.clone(),
            paused: self.paused,
            next: self.due.map(|due| due.slot),
            under_way: self.kept.under_way.clone(),
            last: self.kept.last.clone(),
            missed: self.kept.missed,
        })
    }
}
