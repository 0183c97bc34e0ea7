//! What a change asks for, as data. It is worked out from the two states, so no change
//! can forget any of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::declared::{self, Declared};
use super::state::{Deployed, Loaded, Names, State};
use super::{ChangeError, record, schedules};
use stoa_gateway::table::Table;
use stoa_mesh::{Forces, ScheduleName};
use stoa_store::{Change, StoreError};

/// What becomes of a change. Names are of services and upstreams as the next state has
/// them: those that it has not are gone.
#[derive(Default)]
pub(super) struct Effects {
    /// What must be on disk before any of it is seen.
    pub(super) records: Vec<Change>,
    /// The routes as they will be, where traffic goes another way.
    pub(super) table: Option<Table>,
    /// Services whose live revisions are others, or have other shares.
    pub(super) moved: Names,
    /// Upstreams that are declared anew.
    pub(super) upstreams: Names,
    /// Whose drain begins or ends.
    pub(super) intakes: Names,
    /// Whose breakers are held otherwise.
    pub(super) forces: Names,
    /// Services whose functions are called by the clock at other times, or that are gone.
    pub(super) schedules: Names,
    /// Schedules that are paused, or not any more.
    pub(super) paused: BTreeSet<ScheduleName>,
    /// Services whose configuration has other values.
    pub(super) values: Names,
    /// Services whose pools have another size.
    pub(super) sizes: Names,
    /// Revisions that get no more calls; those under way end.
    pub(super) ending: Vec<Loaded>,
    /// Revisions of which nothing is measured any more.
    pub(super) forgotten: Vec<(String, u64)>,
}

/// Why a change is not made now.
#[derive(Debug)]
pub(super) enum Stop {
    /// It is refused.
    Error(ChangeError),
    /// It needs this revision in memory.
    Needs(u64),
    /// What it was made for is no longer so.
    Moved,
}

impl From<ChangeError> for Stop {
    fn from(error: ChangeError) -> Self {
        Self::Error(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Error(error.into())
    }
}

// === impl Effects ===

impl Effects {
    /// What the way from one state to the next asks for, with its routes.
    ///
    /// # Errors
    ///
    /// When routes are in each other's way.
    pub(super) fn of(before: &State, mut next: State) -> Result<(State, Self), ChangeError> {
        let mut effects = Self::between(before, &mut next);
        if !effects.moved.is_empty() || !effects.upstreams.is_empty() {
            effects.table = Some(next.table().map_err(ChangeError::Refused)?);
        }
        Ok((next, effects))
    }

    /// As [`Effects::of`], but for the routes.
    pub(super) fn between(before: &State, next: &mut State) -> Self {
        let mut effects = Self::default();
        effects.services(before, next);
        effects.upstreams(before, next);
        effects.drains(before, next);
        effects.breakers(before, next);
        effects.pauses(before, next);
        effects
    }

    fn services(&mut self, before: &State, next: &mut State) {
        let same = |was: &Arc<Deployed>, now: &Arc<Deployed>| Arc::ptr_eq(was, now);
        let changed = differing(&before.services, &next.services, same);
        self.schedules = schedules::differing(before, next, &changed);
        for name in changed {
            let was = before.services.get(&name).map(|was| &**was);
            match next.services.get_mut(&name).map(Arc::make_mut) {
                Some(now) => self.service(&name, was, now),
                None => self.records.push(Change::remove(record::KIND, &name)),
            }
            let now = next.services.get(&name).map(|now| &**now);
            if serving(was) != serving(now) {
                self.moved.insert(name.clone());
            }
            self.left(&name, was, now);
        }
    }

    fn service(&mut self, name: &str, was: Option<&Deployed>, now: &mut Deployed) {
        let mut loaded = std::mem::take(&mut now.loaded);
        loaded.retain(|number, _| now.keeps(*number));
        now.loaded = loaded;
        let record = &now.record;
        self.records.push(written(record::KIND, name, record));
        let Some(was) = was.map(|was| &was.record) else {
            return;
        };
        if was.config.version != record.config.version {
            self.values.insert(name.to_owned());
        }
        if was.scale != record.scale {
            self.sizes.insert(name.to_owned());
        }
    }

    /// What a service has lost.
    fn left(&mut self, name: &str, was: Option<&Deployed>, now: Option<&Deployed>) {
        let Some(was) = was else { return };
        let has_traffic = |number| now.is_some_and(|now| now.record.weight(number) > 0);
        let live = was.live().map(|(_, loaded)| loaded);
        let retired = live.filter(|loaded| !has_traffic(loaded.revision.number));
        self.ending.extend(retired.cloned());
        let is_loaded = |number| now.is_some_and(|now| now.loaded.contains_key(number));
        let gone = was.loaded.keys().filter(|number| !is_loaded(number));
        self.forgotten
            .extend(gone.map(|number| (name.to_owned(), *number)));
    }

    fn upstreams(&mut self, before: &State, next: &State) {
        let same = |was: &Declared, now: &Declared| was.number() == now.number();
        for name in differing(&before.upstreams, &next.upstreams, same) {
            self.records.push(match next.upstreams.get(&name) {
                Some(now) => written(declared::KIND, &name, &now.record),
                None => Change::remove(declared::KIND, &name),
            });
            if let Some(was) = before.upstreams.get(&name) {
                self.forgotten.push((name.clone(), was.number()));
            }
            self.upstreams.insert(name);
        }
    }

    fn drains(&mut self, before: &State, next: &State) {
        for name in before.drained.symmetric_difference(&next.drained) {
            let drained = next.drained.contains(name);
            self.records.push(match drained {
                true => written(record::DRAIN, name, &true),
                false => Change::remove(record::DRAIN, name),
            });
            self.intakes.insert(name.clone());
            if let Some(was) = before.services.get(name).filter(|_| drained) {
                self.ending.extend(was.live().map(|(_, live)| live.clone()));
            }
        }
    }

    fn breakers(&mut self, before: &State, next: &State) {
        let same = |was: &Forces, now: &Forces| was == now;
        for name in differing(&before.forces, &next.forces, same) {
            self.records.push(match next.forces.get(&name) {
                Some(forces) => written(record::BREAKER, &name, forces),
                None => Change::remove(record::BREAKER, &name),
            });
            self.forces.insert(name);
        }
    }

    fn pauses(&mut self, before: &State, next: &State) {
        for name in before.paused.symmetric_difference(&next.paused) {
            let key = name.to_string();
            self.records.push(match next.paused.contains(name) {
                true => written(record::PAUSED, &key, &true),
                false => Change::remove(record::PAUSED, &key),
            });
            self.paused.insert(name.clone());
        }
    }
}

/// Writes a record down.
fn written(kind: &str, name: &str, record: &impl Serialize) -> Change {
    Change::put(kind, name, record).expect("a record's keys are strings")
}

/// The keys of what is in one of them only, or not the same in both.
fn differing<T>(
    before: &BTreeMap<String, T>,
    next: &BTreeMap<String, T>,
    same: impl Fn(&T, &T) -> bool,
) -> Names {
    let is_same = |name: &str| match (before.get(name), next.get(name)) {
        (Some(was), Some(now)) => same(was, now),
        _ => false,
    };
    let names = before.keys().chain(next.keys());
    names.filter(|name| !is_same(name)).cloned().collect()
}

/// Who serves, with which share; `None` where there is no service.
fn serving(deployed: Option<&Deployed>) -> Option<Vec<(u8, u64)>> {
    let live = deployed?.live();
    Some(
        live.map(|(weight, loaded)| (weight, loaded.revision.number))
            .collect(),
    )
}
