//! The messages of one key, of which one at most is in flight.

use std::collections::BTreeSet;

use super::State;

/// A key's messages that have a place in its order, and which of them can be claimed.
#[derive(Debug, Default)]
pub(super) struct Lane {
    members: BTreeSet<u64>,
    /// In flight.
    busy: Option<u64>,
    /// It stands still with these: mostly one, but a lease that ended may still end so.
    paused: BTreeSet<u64>,
    /// Can be claimed, as [`super::Cursor`] was told.
    exposed: Option<u64>,
}

/// Which message of a lane can be claimed no more, and which one can be now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) hidden: Option<u64>,
    pub(super) exposed: Option<u64>,
}

impl Lane {
    /// A message is in another state now, or gone. `due` tells of the first member
    /// whether its time has come.
    pub(super) fn change(
        &mut self,
        id: u64,
        to: Option<State>,
        due: impl Fn(u64) -> bool,
    ) -> Shift {
        let to = to.filter(|to| to.has_place());
        match to {
            Some(_) => self.members.insert(id),
            None => self.members.remove(&id),
        };
        match to {
            Some(State::InFlight(_)) => self.busy = Some(id),
            _ => self.busy = self.busy.filter(|busy| *busy != id),
        }
        match to {
            Some(State::Paused) => self.paused.insert(id),
            _ => self.paused.remove(&id),
        };
        let first = self.members.first().copied();
        let now = first.filter(|first| self.is_free() && due(*first));
        let before = std::mem::replace(&mut self.exposed, now);
        Shift {
            hidden: before.filter(|_| before != now),
            exposed: now.filter(|_| before != now),
        }
    }

    /// None is in flight, and it does not stand still.
    pub(super) fn is_free(&self) -> bool {
        self.busy.is_none() && self.paused.is_empty()
    }

    pub(super) fn is_paused(&self) -> bool {
        !self.paused.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}
