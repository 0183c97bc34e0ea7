//! What a deployment, or an operator, makes of schedules.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::RwLockWriteGuard;

use super::entry::{Active, Entry, Occasion};
use super::kept::Kept;
use super::{All, ScheduleName, Schedules};
use stoa_settings::schedule::Slot;
use stoa_settings::{FunctionName, Schedule};
use stoa_store::Change;

/// What is to be.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The schedules of a service; `None` where it is gone with all that was kept.
    pub services: BTreeMap<String, Option<BTreeMap<FunctionName, Schedule>>>,
    /// Whether a schedule is paused.
    pub paused: BTreeMap<ScheduleName, bool>,
}

/// A change under way: what it writes is told, and is to be on disk before it is
/// published. No run writes meanwhile.
#[must_use = "it is nothing until it is published"]
pub struct Changing<'s> {
    schedules: &'s Schedules,
    wanted: Wanted,
    now: Slot,
    /// What is to be written down.
    pub records: Vec<Change>,
    _nobody_writes: Option<RwLockWriteGuard<'s, ()>>,
}

impl Schedules {
    /// Begins a change.
    pub async fn change(&self, wanted: Wanted) -> Changing<'_> {
        let is_none = wanted.services.is_empty() && wanted.paused.is_empty();
        let nobody_writes = match is_none {
            true => None,
            false => Some(self.writing.write().await),
        };
        let now = self.now();
        let all = self.lock();
        let services = wanted.services.iter();
        let of_services = services.flat_map(|(service, table)| match table {
            Some(table) => all.anew(service, table, now),
            None => all.removals(service),
        });
        let resumed = wanted.paused.iter().filter(|(_, paused)| !**paused);
        let resumed = resumed.filter_map(|(name, _)| {
            let mut kept = all.entries.get(name)?.kept.clone();
            kept.after = kept.after.max(now);
            kept.written(name)
        });
        let records = of_services.chain(resumed).collect();
        drop(all);
        Changing {
            schedules: self,
            wanted,
            now,
            records,
            _nobody_writes: nobody_writes,
        }
    }

    fn publish(&self, wanted: Wanted, now: Slot) {
        let mut all = self.lock();
        for (service, table) in wanted.services {
            match table {
                Some(table) => self.deploy(&mut all, &service, table, now),
                None => self.remove(&mut all, &service),
            }
        }
        for (name, paused) in wanted.paused {
            all.pause(&name, paused, now);
        }
        drop(all);
        self.changed.notify_one();
    }

    fn deploy(
        &self,
        all: &mut All,
        service: &str,
        mut table: BTreeMap<FunctionName, Schedule>,
        now: Slot,
    ) {
        let is_running = all.is_running();
        for name in all.of_service(service) {
            let wanted = table.remove(&name.function);
            let Some(entry) = all.entries.get_mut(&name) else {
                continue;
            };
            if is_anew(is_running, entry, wanted.as_ref()) {
                entry.begin_anew(now);
            }
            self.set(&name, entry, wanted);
            all.look_at(&name, Occasion::Able);
        }
        for (function, schedule) in table {
            let service = service.to_owned();
            let name = Arc::new(ScheduleName { service, function });
            let mut entry = Entry::of(Kept::new(now));
            self.set(&name, &mut entry, Some(schedule));
            all.entries.insert(name.clone(), entry);
            all.look_at(&name, Occasion::Able);
        }
    }

    /// Has an entry follow these settings, or none.
    fn set(&self, name: &ScheduleName, entry: &mut Entry, wanted: Option<Schedule>) {
        let (metrics, function) = (&self.parts.metrics, name.function.to_string());
        let Some(schedule) = wanted else {
            entry.active = None;
            metrics.forget_schedule(&name.service, &function);
            return;
        };
        let known = entry.active.as_ref();
        if known.is_some_and(|known| known.schedule == schedule) {
            return;
        }
        entry.due = None;
        let handle = metrics.schedule(&name.service, &function);
        entry.active = Active::new(schedule, handle)
            .inspect_err(|fault| {
                tracing::error!(
                    service.name = name.service,
                    "{function} is not called by the clock: {fault}"
                );
            })
            .ok();
    }

    fn remove(&self, all: &mut All, service: &str) {
        for name in all.of_service(service) {
            all.clear_timer(&name);
            all.entries.remove(&name);
            let function = name.function.to_string();
            self.parts.metrics.forget_schedule(service, &function);
        }
    }
}

/// Whether its slots so far were others, or none: what has passed of those that it shall
/// have was not missed.
fn is_anew(is_running: bool, entry: &Entry, wanted: Option<&Schedule>) -> bool {
    match (&entry.active, wanted) {
        (Some(active), Some(wanted)) => !active.has_times_of(wanted),
        // After a restart it is as it was.
        (None, Some(_)) => is_running,
        (_, None) => false,
    }
}

// === impl Changing ===

impl Changing<'_> {
    /// It holds from now on.
    pub fn publish(self) {
        if self._nobody_writes.is_some() {
            self.schedules.publish(self.wanted, self.now);
        }
    }
}

// === impl All ===

impl All {
    fn of_service(&self, service: &str) -> Vec<Arc<ScheduleName>> {
        let from = ScheduleName::first_of(service);
        let names = self.entries.range(from..).map(|(name, _)| name);
        let names = names.take_while(|name| name.service == service);
        names.cloned().collect()
    }

    /// Writes down since when there are slots, of those whose slots are new.
    fn anew(
        &self,
        service: &str,
        table: &BTreeMap<FunctionName, Schedule>,
        now: Slot,
    ) -> Vec<Change> {
        let written = table.iter().filter_map(|(function, schedule)| {
            let name = ScheduleName {
                service: service.to_owned(),
                function: function.clone(),
            };
            match self.entries.get(&name) {
                Some(entry) if is_anew(self.is_running(), entry, Some(schedule)) => {
                    let mut kept = entry.kept.clone();
                    kept.after = kept.after.max(now);
                    kept.written(&name)
                }
                Some(_) => None,
                None => Kept::new(now).written(&name),
            }
        });
        written.collect()
    }

    fn removals(&self, service: &str) -> Vec<Change> {
        let names = self.of_service(service).into_iter();
        let removed = names.flat_map(|name| {
            let entry = self.entries.get(&name);
            entry.into_iter().flat_map(move |entry| {
                let removed: Vec<_> = entry.kept.removed(&name).collect();
                removed
            })
        });
        removed.collect()
    }

    fn pause(&mut self, name: &ScheduleName, paused: bool, now: Slot) {
        let Some((name, _)) = self.entries.get_key_value(name) else {
            return;
        };
        let name = name.clone();
        if let Some(entry) = self.entries.get_mut(&name) {
            if entry.paused && !paused {
                entry.begin_anew(now);
            }
            entry.paused = paused;
        }
        self.look_at(&name, Occasion::Able);
    }
}
