//! What waits for one subscriber.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Millis;
use super::lane::Lane;
use crate::log::Standing;
use crate::log::journal::{Mark, Verdict};

/// The messages that a subscriber needs, and what of them can be claimed.
pub(crate) struct Cursor {
    /// The first message that it gets.
    from: u64,
    entries: BTreeMap<u64, Entry>,
    /// By their standing, in the order of [`STANDINGS`].
    standing: [BTreeSet<u64>; STANDINGS.len()],
    lanes: HashMap<Arc<str>, Lane>,
    /// What can be claimed.
    ready: BTreeSet<u64>,
    /// When something ends: a delay, a backoff, a lease.
    timers: BTreeSet<(Millis, u64)>,
    paused_keys: u64,
}

/// A message for a subscriber.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Option<Arc<str>>,
    pub(crate) state: State,
    /// Since it was appended or redriven.
    pub(crate) attempts: u32,
    /// Its mark is on disk.
    pub(crate) marked: bool,
    /// The last claim, 0 if what became of it is known.
    lease: u64,
}

/// [`Standing`] with the time when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    InFlight(Millis),
    Delayed(Millis),
    Retrying(Millis),
    Dead,
    Paused,
}

pub(crate) const STANDINGS: [Standing; 6] = [
    Standing::Waiting,
    Standing::InFlight,
    Standing::Delayed,
    Standing::Retrying,
    Standing::Dead,
    Standing::Paused,
];

// === impl State ===

impl State {
    pub(crate) fn standing(self) -> Standing {
        match self {
            Self::Waiting => Standing::Waiting,
            Self::InFlight(_) => Standing::InFlight,
            Self::Delayed(_) => Standing::Delayed,
            Self::Retrying(_) => Standing::Retrying,
            Self::Dead => Standing::Dead,
            Self::Paused => Standing::Paused,
        }
    }

    /// When it ends by itself.
    pub(crate) fn ends(self) -> Option<Millis> {
        match self {
            Self::InFlight(at) | Self::Delayed(at) | Self::Retrying(at) => Some(at),
            Self::Waiting | Self::Dead | Self::Paused => None,
        }
    }

    /// Whether it has a place in the order of its key.
    pub(super) fn has_place(self) -> bool {
        !matches!(self, Self::Delayed(_) | Self::Dead)
    }
}

// === impl Cursor ===

impl Cursor {
    pub(super) fn new(from: u64) -> Self {
        Self {
            from,
            entries: BTreeMap::new(),
            standing: Default::default(),
            lanes: HashMap::new(),
            ready: BTreeSet::new(),
            timers: BTreeSet::new(),
            paused_keys: 0,
        }
    }

    pub(super) fn from(&self) -> u64 {
        self.from
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> {
        self.entries.keys().copied()
    }

    /// In the order of their numbers, after `after`.
    pub(crate) fn ids_after(&self, after: u64) -> impl Iterator<Item = u64> {
        self.entries
            .range(after.saturating_add(1)..)
            .map(|(id, _)| *id)
    }

    pub(crate) fn entry(&self, id: u64) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// Messages of one standing.
    pub(crate) fn in_standing(&self, standing: Standing) -> &BTreeSet<u64> {
        &self.standing[place(standing)]
    }

    pub(crate) fn paused_keys(&self) -> u64 {
        self.paused_keys
    }

    /// When there is next something to claim: 0 if it is there.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        match self.ready.is_empty() {
            true => self.timers.first().map(|(at, _)| *at),
            false => Some(0),
        }
    }

    /// Adds a message.
    pub(super) fn insert(&mut self, id: u64, key: Option<Arc<str>>, state: State) {
        let entry = Entry {
            key,
            state,
            attempts: 0,
            marked: false,
            lease: 0,
        };
        self.entries.insert(id, entry);
        self.enter(id, state);
    }

    /// Removes a message; says whether others of its key are there.
    pub(super) fn remove(&mut self, id: u64) -> Option<bool> {
        let entry = self.entries.remove(&id)?;
        self.leave(id, entry.state);
        self.ready.remove(&id);
        self.shift(id, entry.key.as_ref(), None);
        let lane = entry.key.and_then(|key| self.lanes.get(&key));
        Some(lane.is_some())
    }

    /// Makes what is over at `now` due.
    pub(super) fn advance(&mut self, now: Millis) {
        while let Some((_, id)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.put(id, State::Waiting);
        }
    }

    /// Claims the first message that can be claimed.
    pub(super) fn claim_next(&mut self, lease: u64, until: Millis) -> Option<(u64, &Entry)> {
        let id = self.ready.first().copied()?;
        self.put(id, State::InFlight(until));
        let entry = self.entries.get_mut(&id)?;
        entry.lease = lease;
        Some((id, entry))
    }

    /// The entry of a lease that was not lost.
    pub(super) fn held(&self, id: u64, lease: u64) -> Option<&Entry> {
        let entry = self.entries.get(&id)?;
        // The lease may have ended while nobody else claimed the message.
        let claimable = matches!(entry.state, State::InFlight(_) | State::Waiting);
        (claimable && lease != 0 && entry.lease == lease).then_some(entry)
    }

    pub(super) fn extend(&mut self, id: u64, lease: u64, until: Millis) -> bool {
        let Some(entry) = self.held(id, lease) else {
            return false;
        };
        let state = match entry.state {
            State::InFlight(before) => State::InFlight(before.max(until)),
            _ => State::InFlight(until),
        };
        let lane = entry.key.as_ref().and_then(|key| self.lanes.get(key));
        if entry.state == State::Waiting && lane.is_some_and(|lane| !lane.is_free()) {
            return false;
        }
        self.put(id, state);
        true
    }

    pub(super) fn unclaim(&mut self, id: u64, lease: u64) {
        if self.held(id, lease).is_some() {
            self.put(id, State::Waiting);
            self.unlease(id);
        }
    }

    /// Makes what a mark says of a message that is not done.
    pub(super) fn mark(&mut self, id: u64, mark: &Mark) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        (entry.attempts, entry.marked) = (mark.attempts, true);
        self.unlease(id);
        match mark.verdict {
            Verdict::Again if mark.due == 0 => self.put(id, State::Waiting),
            Verdict::Again => self.put(id, State::Retrying(mark.due)),
            Verdict::Dead | Verdict::Done => self.put(id, State::Dead),
            Verdict::Paused => self.put(id, State::Paused),
        }
    }

    fn unlease(&mut self, id: u64) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.lease = 0;
        }
    }

    /// Gives a message another state, and all that depends on it.
    fn put(&mut self, id: u64, state: State) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut entry.state, state);
        self.leave(id, before);
        self.enter(id, state);
    }

    fn leave(&mut self, id: u64, before: State) {
        self.standing[place(before.standing())].remove(&id);
        if let Some(at) = before.ends() {
            self.timers.remove(&(at, id));
        }
    }

    fn enter(&mut self, id: u64, state: State) {
        self.standing[place(state.standing())].insert(id);
        if let Some(at) = state.ends() {
            self.timers.insert((at, id));
        }
        let key = self.entries.get(&id).and_then(|entry| entry.key.clone());
        match key {
            Some(key) => self.shift(id, Some(&key), Some(state)),
            None if state == State::Waiting => drop(self.ready.insert(id)),
            None => drop(self.ready.remove(&id)),
        }
    }

    /// Tells a message's key of its state, and what of the key can be claimed now.
    fn shift(&mut self, id: u64, key: Option<&Arc<str>>, state: Option<State>) {
        let Some(key) = key else { return };
        let lane = self.lanes.entry(Arc::clone(key)).or_default();
        let was_paused = lane.is_paused();
        let entries = &self.entries;
        let due = |id| matches!(entries.get(&id), Some(entry) if entry.state == State::Waiting);
        let shift = lane.change(id, state, due);
        self.paused_keys += u64::from(lane.is_paused());
        self.paused_keys -= u64::from(was_paused);
        if lane.is_empty() {
            self.lanes.remove(key);
        }
        if let Some(hidden) = shift.hidden {
            self.ready.remove(&hidden);
        }
        if let Some(exposed) = shift.exposed {
            self.ready.insert(exposed);
        }
    }
}

fn place(standing: Standing) -> usize {
    match standing {
        Standing::Waiting => 0,
        Standing::InFlight => 1,
        Standing::Delayed => 2,
        Standing::Retrying => 3,
        Standing::Dead => 4,
        Standing::Paused => 5,
    }
}
