//! Calls that wait, by priority, each with an end to its patience.
//!
//! The highest priority is served first, and the oldest of each. A call whose caller is
//! gone, or whose time is over, is never served.

use std::collections::VecDeque;
use std::time::Instant;

use stoa_settings::Priority;

/// The way back to a caller.
pub(super) trait Caller {
    /// Whether it has given up.
    fn is_gone(&self) -> bool;
}

/// A call that waits.
pub(super) struct Waiter<C> {
    /// Who waits.
    pub(super) caller: C,
    /// How much it matters.
    pub(super) priority: Priority,
    /// Since when it waits.
    pub(super) since: Instant,
    /// When serving it makes no sense any more.
    pub(super) until: Instant,
}

/// By priority; in each the oldest is at the front.
pub(super) struct Lanes<C>([VecDeque<Waiter<C>>; Priority::ALL.len()]);

impl<C> Default for Lanes<C> {
    fn default() -> Self {
        Self(Default::default())
    }
}

impl<C: Caller> Lanes<C> {
    /// Adds a call.
    pub(super) fn push(&mut self, waiter: Waiter<C>) {
        self.0[waiter.priority as usize].push_back(waiter);
    }

    /// Takes the call whose turn it is; those whose time was over go to `late`.
    pub(super) fn first(&mut self, now: Instant, late: &mut Vec<Waiter<C>>) -> Option<Waiter<C>> {
        for lane in self.0.iter_mut().rev() {
            while let Some(waiter) = lane.pop_front() {
                match waiter {
                    gone if gone.caller.is_gone() => {}
                    waiter if waiter.until > now => return Some(waiter),
                    waiter => late.push(waiter),
                }
            }
        }
        None
    }

    /// Takes the call that matters least: the newest of the lowest priority.
    pub(super) fn last(&mut self) -> Option<Waiter<C>> {
        self.0.iter_mut().find_map(VecDeque::pop_back)
    }

    /// Drops those whose callers are gone.
    pub(super) fn retain_present(&mut self) {
        for lane in &mut self.0 {
            lane.retain(|waiter| !waiter.caller.is_gone());
        }
    }

    /// Calls that a new one of this priority has before it.
    pub(super) fn before(&self, priority: Priority) -> usize {
        self.0[priority as usize..].iter().map(VecDeque::len).sum()
    }

    /// Calls that stand here, also those whose callers are gone.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(VecDeque::len).sum()
    }

    /// Whether nobody stands here.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(VecDeque::is_empty)
    }

    /// Callers that wait.
    pub(super) fn present(&self) -> usize {
        let all = self.0.iter().flatten();
        all.filter(|waiter| !waiter.caller.is_gone()).count()
    }
}
