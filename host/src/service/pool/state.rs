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

/// The queue of calls that the limit must not keep waiting: an instance may be busy
/// until they have ended. They are served first, whenever there is room for one.
const NESTED: usize = 1;

pub(super) struct State {
    min: u32,
    max: u32,
    /// Slots that calls hold, and instances that are being made.
    busy: u32,
    /// Used last comes last, and goes first.
    idle: Vec<Slot>,
    /// Calls that wait: within the limit, and nested ones (see [`NESTED`]).
    queues: [Queue<Turn>; 2],
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
    pub(super) fn new(min: u32, max: u32, queues: [Queue<Turn>; 2]) -> Self {
        Self {
            min,
            max,
            busy: 0,
            idle: Vec::new(),
            queues,
            peak: Peak::default(),
            tally: Tally::new(),
            draining: false,
        }
    }

    /// Room for a call, if it is `nested` or fewer than `limit` are under way. Nobody
    /// takes what others wait for, who may matter more.
    pub(super) fn claim(&mut self, seats: &Arc<Seats>, limit: u32, nested: bool) -> Claim {
        let before = &self.queues[usize::from(nested)..];
        let awaited = before.iter().any(|queue| !queue.is_empty());
        if awaited || (self.busy >= limit && !nested) {
            return Claim::Wait;
        }
        match self.room(seats) {
            Some(What::Instance(slot)) => {
                self.occupy();
                Claim::Idle(slot)
            }
            Some(What::Start(seat)) => {
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
        nested: bool,
    ) -> Result<Option<Refused<Turn>>, Waiter<Turn>> {
        self.queues[usize::from(nested)].push(waiter)
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
            awaited: self.standing() > 0 || (self.draining && self.busy == 0),
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
    /// than `limit` calls are under way, or to nested ones. Who is given up meanwhile
    /// is returned.
    pub(super) fn serve_queue(
        &mut self,
        pool: &Arc<Pool>,
        seats: &Arc<Seats>,
        limit: u32,
        pace: Duration,
    ) -> Vec<Refused<Turn>> {
        let mut refused = Vec::new();
        while let Some(queue) = self.next_queue(limit) {
            let Some(what) = self.room(seats) else { break };
            self.hand_over(queue, Handoff::new(pool, what), pace, &mut refused);
        }
        refused
    }

    /// Whose turn it is if there is room.
    fn next_queue(&self, limit: u32) -> Option<usize> {
        let has_turn = |queue: &usize| *queue == NESTED || self.busy < limit;
        let waits = |queue: &usize| !self.queues[*queue].is_empty();
        [NESTED, 0].into_iter().find(|it| waits(it) && has_turn(it))
    }

    /// An idle instance, or a seat for a new one.
    fn room(&mut self, seats: &Arc<Seats>) -> Option<What> {
        match self.pop_idle() {
            Some(slot) => Some(What::Instance(slot)),
            None => seats.take(self.max).map(What::Start),
        }
    }

    /// Gives it to the first that still waits in a queue.
    fn hand_over(
        &mut self,
        queue: usize,
        mut handoff: Handoff,
        pace: Duration,
        refused: &mut Vec<Refused<Turn>>,
    ) {
        self.occupy();
        let now = Instant::now();
        while let Some(waiter) = self.queues[queue].next(now, pace, refused) {
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
        self.queues.iter().map(Queue::present).sum()
    }

    /// As [`State::queued`], with those whose callers are gone: an estimate that
    /// costs nothing.
    pub(super) fn standing(&self) -> u32 {
        let places = self.queues.iter().map(Queue::places).sum::<usize>();
        u32::try_from(places).unwrap_or(u32::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Priority;

    fn state(max: u32) -> State {
        State::new(0, max, [(); 2].map(|()| Queue::new(8, Duration::MAX)))
    }

    /// Has a call wait; it does as long as what is returned lives.
    fn wait(state: &mut State, nested: bool) -> impl Sized + use<> {
        let (caller, turn) = oneshot::channel();
        let since = Instant::now();
        let waiter = Waiter {
            caller,
            priority: Priority::High,
            since,
            until: since + Duration::from_secs(60),
        };
        assert!(state.enqueue(waiter, nested).is_ok());
        turn
    }

    fn is_let_in(claim: &Claim) -> bool {
        !matches!(claim, Claim::Wait)
    }

    #[test]
    fn who_comes_later_does_not_take_what_others_wait_for() {
        let (mut state, seats) = (state(2), Arc::default());
        let first = state.claim(&seats, 1, false);
        assert!(is_let_in(&first));
        let _waits = wait(&mut state, false);
        drop(first);
        state.give_back(None, 0);
        assert!(!is_let_in(&state.claim(&seats, 1, false)));
        assert_eq!(state.next_queue(1), Some(0));
        assert!(is_let_in(&state.claim(&seats, 1, true)), "it is awaited");
    }

    #[test]
    fn a_nested_call_has_its_turn_beyond_the_limit() {
        let (mut state, seats) = (state(2), Arc::default());
        let _outer = state.claim(&seats, 1, false);
        assert!(!is_let_in(&state.claim(&seats, 1, false)));
        let inner = state.claim(&seats, 1, true);
        assert!(is_let_in(&inner));
        assert!(
            !is_let_in(&state.claim(&seats, 1, true)),
            "the pool is full"
        );
        let _usual = wait(&mut state, false);
        let _nested = wait(&mut state, true);
        drop(inner);
        state.give_back(None, 1);
        assert_eq!(state.next_queue(1), Some(NESTED));
        assert_eq!((state.queued(), state.standing()), (2, 2));
    }
}
