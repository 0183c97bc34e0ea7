//! The calls that wait for an instance, as long as they can be served in their time.
//!
//! Refused is who has more calls before it than are served until its time is over, and
//! what is more than the queue may hold (see [`super::pressure`]): first the lowest
//! priority, and of each the newest. Who waits is served in turn.
//!
//! Knows times only as it is told them, and nothing of instances.

use std::time::{Duration, Instant};

use super::lanes::{Caller, Lanes, Waiter};
use super::pressure::Pressure;

/// How often the queue is looked through for callers that are gone, at most.
const SWEEP: Duration = Duration::from_millis(10);

/// A call that was refused.
pub(super) struct Refused<C> {
    /// Who is to be told.
    pub(super) waiter: Waiter<C>,
    /// Why.
    pub(super) why: Why,
}

/// Why a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The queue has no place left.
    Full,
    /// More come than are served, and others matter more or came earlier.
    Shed,
    /// It would have to wait for so long, which is longer than it can.
    NoTime(Duration),
    /// Its time is over.
    Late,
}

/// The queue of one pool.
pub(super) struct Queue<C> {
    lanes: Lanes<C>,
    capacity: usize,
    pressure: Pressure,
    swept: Option<Instant>,
}

impl<C: Caller> Queue<C> {
    /// An empty queue for `capacity` calls.
    pub(super) fn new(capacity: u32, pressure: Pressure) -> Self {
        Self {
            lanes: Lanes::default(),
            capacity: capacity as usize,
            pressure,
            swept: None,
        }
    }

    /// Adds a call. Who has to go for it is put into `refused`; that may be itself.
    pub(super) fn push(&mut self, waiter: Waiter<C>, now: Instant, refused: &mut Vec<Refused<C>>) {
        if let Some(wait) = self.no_time(&waiter, now) {
            let why = Why::NoTime(wait);
            return refused.push(Refused { waiter, why });
        }
        if self.lanes.is_empty() {
            self.pressure.empty(now);
        }
        self.lanes.push(waiter);
        self.pressure.waits(now);
        if self.lanes.len() > self.bound(now) {
            self.sweep(now);
            self.cut(now, refused);
        }
    }

    /// The call whose turn it is; those whose time was over go to `refused`.
    pub(super) fn next(
        &mut self,
        now: Instant,
        refused: &mut Vec<Refused<C>>,
    ) -> Option<Waiter<C>> {
        let mut late = Vec::new();
        let next = self.lanes.first(now, &mut late);
        let why = Why::Late;
        refused.extend(late.into_iter().map(|waiter| Refused { waiter, why }));
        if next.is_some() {
            self.pressure.taken(now);
        }
        if self.lanes.is_empty() {
            self.pressure.empty(now);
        }
        next
    }

    /// How long a new call would wait; `None` as long as that is not known.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.pressure.wait(self.lanes.len())
    }

    /// Whether nobody stands in it.
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Callers that wait.
    pub(super) fn present(&self) -> usize {
        self.lanes.present()
    }

    /// How long a call would wait, if that is too long for it.
    fn no_time(&mut self, waiter: &Waiter<C>, now: Instant) -> Option<Duration> {
        let left = waiter.until.saturating_duration_since(now);
        let too_long = |queue: &Self| {
            let before = queue.lanes.before(waiter.priority);
            queue.pressure.wait(before).filter(|wait| *wait > left)
        };
        too_long(self)?;
        self.sweep(now);
        too_long(self)
    }

    /// Drops those whose callers are gone: they still stand in the queue.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_none_or(|swept| now >= swept + SWEEP) {
            self.lanes.retain_present();
            self.swept = Some(now);
        }
    }

    /// Refuses what is more than may wait.
    fn cut(&mut self, now: Instant, refused: &mut Vec<Refused<C>>) {
        if self.lanes.len() > self.bound(now) {
            self.pressure.refused(now);
        }
        let bound = self.bound(now);
        let why = match bound == self.capacity {
            true => Why::Full,
            false => Why::Shed,
        };
        while self.lanes.len() > bound {
            let Some(waiter) = self.lanes.last() else {
                break;
            };
            refused.push(Refused { waiter, why });
        }
    }

    /// How many may wait.
    fn bound(&mut self, now: Instant) -> usize {
        let bound = self.pressure.bound(now);
        bound.map_or(self.capacity, |bound| bound.min(self.capacity))
    }
}

#[cfg(test)]
mod tests;
