//! The one task that begins what is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::entry::{Next, Occasion, PUT_RIGHT};
use super::run::Starting;
use super::{All, NotBegun, ScheduleName, Schedules};
use crate::schedule::kept::Begun;
use stoa_call::TraceContext;
use stoa_http::shutdown::Drain;
use stoa_settings::schedule::Slot;

/// The longest sleep. The time of day may be set, which wakes nobody: so late at most
/// that is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

impl Schedules {
    /// Begins what is due from now on, until the drain. Runs under way hold it, and end by
    /// themselves.
    pub fn keep_time(self: Arc<Self>, drain: Drain) -> impl Future<Output = ()> + Send {
        self.lock().drain = Some(drain.clone());
        self.keep(drain)
    }

    async fn keep(self: Arc<Self>, drain: Drain) {
        let mut before = (Instant::now(), self.now());
        loop {
            let now = self.now();
            if was_put_back(before, now) {
                tracing::warn!("the clock was put back to {now}: schedules go on from there");
                self.look_at_all();
            }
            before = (Instant::now(), now);
            let (starting, next) = self.due(now);
            for one in starting {
                tokio::spawn(self.clone().run(one, drain.clone()));
            }
            let sleep = next.map_or(LONGEST_SLEEP, |next| next.since(now).min(LONGEST_SLEEP));
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                () = self.changed.notified() => {}
                () = drain.begun() => break,
            }
        }
        self.lock().drain = None;
    }

    /// Begins a run that an operator asks for. Slots stay where they are.
    ///
    /// # Errors
    ///
    /// Where there is no such schedule, or a run of it is under way.
    pub fn run_now(self: &Arc<Self>, name: &ScheduleName) -> Result<Begun, NotBegun> {
        let now = self.now();
        let (starting, drain) = {
            let mut all = self.lock();
            let (name, entry) = all.entries.get_key_value(name).ok_or(NotBegun::Unknown)?;
            let name = name.clone();
            if entry.active.is_none() {
                return Err(NotBegun::Unknown);
            }
            if entry.running.is_some() {
                return Err(NotBegun::UnderWay);
            }
            let drain = all.drain.clone().ok_or(NotBegun::NotNow)?;
            (all.start(&name, None, now), drain)
        };
        let starting = starting.ok_or(NotBegun::Unknown)?;
        let begun = starting.begun.clone();
        tokio::spawn(self.clone().run(starting, drain));
        Ok(begun)
    }

    /// What begins now, and when the keeper is to look again.
    pub(super) fn due(&self, now: Slot) -> (Vec<Starting>, Option<Slot>) {
        let mut all = self.lock();
        while let Some((at, name)) = all.timers.pop_first() {
            if at > now {
                all.timers.insert((at, name));
                break;
            }
            all.look_at(&name, Occasion::Due);
        }
        let mut starting = Vec::new();
        for (name, occasion) in std::mem::take(&mut all.pending) {
            starting.extend(all.look(&name, now, occasion));
        }
        (starting, all.timers.first().map(|(at, _)| *at))
    }

    fn look_at_all(&self) {
        let mut all = self.lock();
        let names: Vec<_> = all.entries.keys().cloned().collect();
        for name in names {
            all.look_at(&name, Occasion::Able);
        }
    }
}

/// Whether the time of day is far behind where the time since then would have it.
fn was_put_back((instant, before): (Instant, Slot), now: Slot) -> bool {
    before.plus(instant.elapsed()) > now.plus(PUT_RIGHT)
}

// === impl All ===

impl All {
    /// Looks at one, and notes when to look again.
    fn look(
        &mut self,
        name: &Arc<ScheduleName>,
        now: Slot,
        occasion: Occasion,
    ) -> Option<Starting> {
        self.clear_timer(name);
        let entry = self.entries.get_mut(name)?;
        match entry.look(now, occasion) {
            Next::Begin(slot) => return self.start(name, Some(slot), now),
            Next::Wait(at) => {
                entry.timer = Some(at);
                self.timers.insert((at, name.clone()));
            }
            Next::Rest => {}
        }
        None
    }

    fn start(
        &mut self,
        name: &Arc<ScheduleName>,
        slot: Option<Slot>,
        now: Slot,
    ) -> Option<Starting> {
        self.tickets += 1;
        let ticket = self.tickets;
        let entry = self.entries.get_mut(name)?;
        let schedule = entry.active.as_ref()?.schedule.clone();
        let trace = TraceContext::root();
        entry.running = Some(ticket);
        Some(Starting {
            name: name.clone(),
            schedule,
            ticket,
            begun: entry.begin(slot, now, format!("{:032x}", trace.trace_id)),
            trace,
        })
    }
}
