//! What a pool's lock protects. No call here waits, and no instance is dropped
//! here: what is to go is returned, so that unmapping happens outside the lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::limit::{Limiter, Spent, Tally};
use super::peak::Peak;
use super::queue::{Caller, Queue, Refused, Waiter};
use super::slot::{Handoff, Seat, Seats, Slot, What};
use super::{Pool, PoolError};

/// What a call that waits gets: an instance or the right to make one, or the
/// reason why not.
pub(super) type Turn = oneshot::Sender<Result<Handoff, PoolError>>;

impl Caller for Turn {
    fn is_gone(&self) -> bool {
        self.is_closed()
    }
}

pub(super) struct State {
    min: u32,
    max: u32,
    /// Slots that calls hold, and instances that are being made.
    busy: u32,
    /// Used last comes last, and goes first.
    idle: Vec<Slot>,
    queue: Queue<Turn>,
    peak: Peak,
    tally: Tally,
    draining: bool,
}

/// How a call gets its instance.
pub(super) enum Claim {
    Idle(Slot),
    Start(Seat),
    Wait,
}

/// What is left to do after something was given back.
pub(super) struct GivenBack {
    /// To be dropped.
    pub(super) surplus: Option<Slot>,
    /// Whether somebody waits: for an instance, or for the pool to be empty.
    pub(super) awaited: bool,
}

impl State {
    pub(super) fn new(min: u32, max: u32, queue: Queue<Turn>) -> Self {
        Self {
            min,
            max,
            busy: 0,
            idle: Vec::new(),
            queue,
            peak: Peak::default(),
            tally: Tally::new(),
            draining: false,
        }
    }

    /// Room for a call, if fewer than `limit` are under way.
    pub(super) fn claim(&mut self, seats: &Arc<Seats>, limit: u32) -> Claim {
        if self.busy >= limit {
            return Claim::Wait;
        }
        if let Some(slot) = self.pop_idle() {
            self.occupy();
            return Claim::Idle(slot);
        }
        match seats.take(self.max) {
            Some(seat) => {
                self.occupy();
                Claim::Start(seat)
            }
            None => Claim::Wait,
        }
    }

    /// Queues a call that found no room.
    ///
    /// # Errors
    ///
    /// When the queue has no place for it.
    pub(super) fn enqueue(
        &mut self,
        waiter: Waiter<Turn>,
    ) -> Result<Option<Refused<Turn>>, Waiter<Turn>> {
        self.queue.push(waiter)
    }

    /// A seat for an instance that the minimum lacks.
    pub(super) fn claim_missing(&mut self, seats: &Arc<Seats>) -> Option<Seat> {
        if self.draining || seats.live() >= self.min {
            return None;
        }
        let seat = seats.take(self.max)?;
        self.busy += 1;
        Some(seat)
    }

    /// `live` counts instances, the returned one included.
    pub(super) fn give_back(&mut self, slot: Option<Slot>, live: u32) -> GivenBack {
        self.busy -= 1;
        let mut surplus = None;
        match slot {
            Some(slot) if self.draining || live > self.max => surplus = Some(slot),
            Some(slot) => self.idle.push(slot),
            None => {}
        }
        GivenBack {
            surplus,
            awaited: !self.queue.is_empty() || (self.draining && self.busy == 0),
        }
    }

    /// Adds slots of an instance that serves several calls.
    pub(super) fn offer(&mut self, slots: Vec<Slot>) {
        self.idle.extend(slots);
    }

    /// Notes how long a call that ends now had its instance.
    pub(super) fn note(&mut self, spent: Spent, ceiling: u32, limiter: &Limiter) {
        self.tally
            .ended(spent, Instant::now(), self.busy, ceiling, limiter);
    }

    /// How long a call takes.
    pub(super) fn pace(&self, limiter: &Limiter) -> Duration {
        self.tally.pace(limiter)
    }

    /// Hands idle instances, or seats for new ones, to those who wait, while fewer
    /// than `limit` calls are under way. Who is given up meanwhile is returned.
    pub(super) fn serve_queue(
        &mut self,
        pool: &Arc<Pool>,
        seats: &Arc<Seats>,
        limit: u32,
        pace: Duration,
    ) -> Vec<Refused<Turn>> {
        let mut refused = Vec::new();
        while !self.queue.is_empty() && self.busy < limit {
            let what = match self.pop_idle() {
                Some(slot) => What::Instance(slot),
                None => match seats.take(self.max) {
                    Some(seat) => What::Start(seat),
                    None => break,
                },
            };
            self.hand_over(Handoff::new(pool, what), pace, &mut refused);
        }
        refused
    }

    /// Gives it to the first that still waits.
    fn hand_over(
        &mut self,
        mut handoff: Handoff,
        pace: Duration,
        refused: &mut Vec<Refused<Turn>>,
    ) {
        self.occupy();
        let now = Instant::now();
        while let Some(waiter) = self.queue.next(now, pace, refused) {
            match waiter.caller.send(Ok(handoff)) {
                Ok(()) => return,
                Err(Ok(back)) => handoff = back,
                // What was sent comes back, and that is a handoff.
                Err(Err(_)) => return,
            }
        }
        self.busy -= 1;
        if let Some(What::Instance(slot)) = handoff.disarm() {
            self.idle.push(slot);
        }
    }

    /// Sets the size; returns the idle instances that it leaves no room or no use for.
    pub(super) fn scale(&mut self, min: u32, max: u32, live: u32) -> Vec<Slot> {
        self.min = min;
        self.max = max;
        let unneeded = live.saturating_sub(min) as usize;
        self.idle.drain(..unneeded.min(self.idle.len())).collect()
    }

    /// Ends a window; returns what its peak did not need, longest unused first.
    pub(super) fn shrink(&mut self) -> Vec<Slot> {
        let needed = self
            .peak
            .roll(self.busy)
            .max(self.min)
            .saturating_sub(self.busy);
        let surplus = self.idle.len().saturating_sub(needed as usize);
        self.idle.drain(..surplus).collect()
    }

    pub(super) fn drain(&mut self) -> Vec<Slot> {
        self.draining = true;
        std::mem::take(&mut self.idle)
    }

    pub(super) fn resume(&mut self) {
        self.draining = false;
    }

    pub(super) fn min(&self) -> u32 {
        self.min
    }

    pub(super) fn max(&self) -> u32 {
        self.max
    }

    pub(super) fn busy(&self) -> u32 {
        self.busy
    }

    pub(super) fn idle(&self) -> u32 {
        u32::try_from(self.idle.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn queued(&self) -> u32 {
        self.queue.present()
    }

    /// As [`State::queued`], with those whose callers are gone: an estimate that
    /// costs nothing.
    pub(super) fn standing(&self) -> u32 {
        u32::try_from(self.queue.places()).unwrap_or(u32::MAX)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining
    }

    fn occupy(&mut self) {
        self.busy += 1;
        self.peak.record(self.busy);
        self.tally.busy(self.busy);
    }

    /// The instance used last; shared ones may have ended meanwhile.
    fn pop_idle(&mut self) -> Option<Slot> {
        while let Some(slot) = self.idle.pop() {
            if slot.is_usable(u64::MAX) {
                return Some(slot);
            }
        }
        None
    }
}
