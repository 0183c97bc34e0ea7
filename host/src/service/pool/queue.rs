//! The calls that wait for an instance: bounded, by priority, each with an end to
//! its patience.
//!
//! The highest priority is served first. What must go goes from the lowest: when
//! the queue is full, a call of a lower priority makes place; under overload (see
//! [`super::codel`]) calls that have waited too long are given up, and before any
//! of them those of lower priorities, whose turn would not come. A call whose
//! caller is gone, or whose time is over, is never served.
//!
//! Knows times only as it is told them, and nothing of instances.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::codel::{CoDel, Load};
use crate::settings::Priority;

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

/// A call that was given up.
pub(super) struct Refused<C> {
    /// Who is to be told.
    pub(super) waiter: Waiter<C>,
    /// Why.
    pub(super) why: Why,
}

/// Why a waiting call was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// There are too many, and others matter more or are newer.
    Shed,
    /// Its time was over.
    Late,
}

/// The queue of one pool.
pub(super) struct Queue<C> {
    /// By priority; in each the oldest is at the front.
    lanes: [VecDeque<Waiter<C>>; Priority::ALL.len()],
    capacity: usize,
    control: CoDel,
}

impl<C: Caller> Queue<C> {
    /// An empty queue for `capacity` calls that should not wait longer than `target`.
    pub(super) fn new(capacity: u32, target: Duration) -> Self {
        Self {
            lanes: Default::default(),
            capacity: capacity as usize,
            control: CoDel::new(target),
        }
    }

    /// Adds a call; one of a lower priority may have to go for it.
    ///
    /// # Errors
    ///
    /// When there is no place, and nothing that matters less.
    pub(super) fn push(&mut self, waiter: Waiter<C>) -> Result<Option<Refused<C>>, Waiter<C>> {
        let mut gone = None;
        if self.places() >= self.capacity {
            // Callers that gave up still stand in the queue.
            self.retain_present();
            if self.places() >= self.capacity {
                gone = self.evict_below(waiter.priority);
                if gone.is_none() {
                    return Err(waiter);
                }
            }
        }
        self.lanes[waiter.priority as usize].push_back(waiter);
        Ok(gone)
    }

    /// The call whose turn it is. What is given up on the way goes to `refused`.
    /// A call of the service takes about `pace`.
    pub(super) fn next(
        &mut self,
        now: Instant,
        pace: Duration,
        refused: &mut Vec<Refused<C>>,
    ) -> Option<Waiter<C>> {
        let oldest = self.oldest(now);
        let load = self.control.turn(now, self.places(), oldest, pace);
        if let Load::Over { patience } = load {
            self.shed(now, patience, refused);
        }
        let next = self.take(now, load, refused);
        if self.is_empty() {
            self.control.empty();
        }
        next
    }

    /// Whether nobody stands in it.
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.iter().all(VecDeque::is_empty)
    }

    /// Callers that wait.
    pub(super) fn present(&self) -> u32 {
        let present = self.lanes.iter().flatten();
        let present = present.filter(|waiter| !waiter.caller.is_gone()).count();
        u32::try_from(present).unwrap_or(u32::MAX)
    }

    /// Calls that stand in it, also those whose callers are gone.
    pub(super) fn places(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    fn take(
        &mut self,
        now: Instant,
        load: Load,
        refused: &mut Vec<Refused<C>>,
    ) -> Option<Waiter<C>> {
        for lane in self.lanes.iter_mut().rev() {
            let mut pop = || match load {
                Load::Calm => lane.pop_front(),
                Load::Over { .. } => lane.pop_back(),
            };
            while let Some(waiter) = pop() {
                if waiter.caller.is_gone() {
                    continue;
                }
                if waiter.until > now {
                    return Some(waiter);
                }
                let why = Why::Late;
                refused.push(Refused { waiter, why });
            }
        }
        None
    }

    /// Gives up those who have waited longer than `patience`, and everybody who
    /// matters less than one of them. Whose turn it is stays: given up, it would leave
    /// its place to nobody (RFC 8289 drops no last packet either).
    fn shed(&mut self, now: Instant, patience: Duration, refused: &mut Vec<Refused<C>>) {
        let overdue = |waiter: &Waiter<C>| now.saturating_duration_since(waiter.since) > patience;
        let why = Why::Shed;
        let (mut all, mut first) = (false, true);
        for lane in self.lanes.iter_mut().rev().filter(|lane| !lane.is_empty()) {
            let last = match (all, first) {
                (true, _) => lane.len(),
                (false, true) => lane.partition_point(overdue).min(lane.len() - 1),
                (false, false) => lane.partition_point(overdue),
            };
            first = false;
            all |= last > 0;
            let given_up = lane.drain(..last);
            refused.extend(given_up.map(|waiter| Refused { waiter, why }));
        }
    }

    /// The oldest call of the lowest priority, if that is lower than `priority`.
    fn evict_below(&mut self, priority: Priority) -> Option<Refused<C>> {
        let mut lower = self.lanes[..priority as usize].iter_mut();
        let waiter = lower.find_map(VecDeque::pop_front)?;
        let why = Why::Shed;
        Some(Refused { waiter, why })
    }

    fn oldest(&mut self, now: Instant) -> Duration {
        let mut oldest = now;
        for lane in &mut self.lanes {
            while lane.front().is_some_and(|first| first.caller.is_gone()) {
                lane.pop_front();
            }
            oldest = lane.front().map_or(oldest, |first| oldest.min(first.since));
        }
        now - oldest
    }

    fn retain_present(&mut self) {
        for lane in &mut self.lanes {
            lane.retain(|waiter| !waiter.caller.is_gone());
        }
    }
}

#[cfg(test)]
mod tests;
