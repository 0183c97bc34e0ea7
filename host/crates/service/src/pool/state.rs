//! What a pool's lock protects. No call here waits, and no instance is dropped
//! here: what is to go is returned, so that unmapping happens outside the lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::lanes::{Caller, Lanes, Waiter};
use super::peak::Peak;
use super::queue::{Queue, Refused, Why};
use super::slot::{Handoff, InstancePermit, InstancePermits, Room, Slot};
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
    /// Busy ones whose calls wait for the host, and are not in the way of others.
    waiting: u32,
    /// Used last comes last, and goes first.
    idle: Vec<Slot>,
    /// Calls from inside of others, which an instance may be busy for until they have
    /// ended. They are served first, whenever there is room for one, and never refused.
    nested: Lanes<Turn>,
    /// All others.
    queue: Queue<Turn>,
    peak: Peak,
    draining: bool,
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
            waiting: 0,
            idle: Vec::new(),
            nested: Lanes::default(),
            queue,
            peak: Peak::default(),
            draining: false,
        }
    }

    /// Room for a call, if it is `nested` or fewer than `limit` are worked on. Nobody
    /// takes what others wait for, who may matter more.
    pub(super) fn claim(
        &mut self,
        permits: &Arc<InstancePermits>,
        limit: u32,
        nested: bool,
    ) -> Option<Room> {
        let free = nested || (self.worked_on() < limit && self.queue.is_empty());
        if !free || !self.nested.is_empty() {
            return None;
        }
        let room = self.room(permits)?;
        self.occupy();
        Some(room)
    }

    /// Queues a call that found no room; gives those that are refused for it.
    pub(super) fn enqueue(&mut self, waiter: Waiter<Turn>, nested: bool) -> Vec<Refused<Turn>> {
        let mut refused = Vec::new();
        if nested {
            self.nested.push(waiter);
        } else {
            let now = waiter.since;
            self.queue.push(waiter, now, &mut refused);
        }
        refused
    }

    /// Notes that a call waits for the host; whether that is room for another one.
    pub(super) fn wait(&mut self) -> bool {
        self.waiting += 1;
        self.is_awaited()
    }

    /// Notes that a call does not wait for the host any more.
    pub(super) fn resume(&mut self) {
        self.waiting -= 1;
    }

    /// A permit for an instance that the minimum lacks.
    pub(super) fn claim_missing(
        &mut self,
        permits: &Arc<InstancePermits>,
    ) -> Option<InstancePermit> {
        if self.draining || permits.taken() >= self.min {
            return None;
        }
        let permit = permits.take(self.max)?;
        self.busy += 1;
        Some(permit)
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
            awaited: self.is_awaited() || (self.draining && self.busy == 0),
        }
    }

    /// Adds slots of an instance that serves several calls.
    pub(super) fn offer(&mut self, slots: Vec<Slot>) {
        self.idle.extend(slots);
    }

    /// Hands idle instances, or permits for new ones, to those who wait, while fewer
    /// than `limit` calls are worked on, or to nested ones. Whose time was over is
    /// returned.
    pub(super) fn serve_queue(
        &mut self,
        pool: &Arc<Pool>,
        permits: &Arc<InstancePermits>,
        limit: u32,
    ) -> Vec<Refused<Turn>> {
        let mut refused = Vec::new();
        while self.is_turn(limit) {
            let Some(room) = self.room(permits) else {
                break;
            };
            self.hand_over(Handoff::new(pool, room), &mut refused);
        }
        refused
    }

    /// Whether somebody has a turn if there is room.
    fn is_turn(&self, limit: u32) -> bool {
        !self.nested.is_empty() || (self.worked_on() < limit && !self.queue.is_empty())
    }

    /// The first that still waits.
    fn next(&mut self, refused: &mut Vec<Refused<Turn>>) -> Option<Waiter<Turn>> {
        let now = Instant::now();
        if self.nested.is_empty() {
            return self.queue.next(now, refused);
        }
        let mut late = Vec::new();
        let next = self.nested.first(now, &mut late);
        let why = Why::Late;
        refused.extend(late.into_iter().map(|waiter| Refused { waiter, why }));
        next
    }

    /// An idle instance, or a permit for a new one.
    fn room(&mut self, permits: &Arc<InstancePermits>) -> Option<Room> {
        match self.pop_idle() {
            Some(slot) => Some(Room::Idle(slot)),
            None => permits.take(self.max).map(Room::New),
        }
    }

    /// Gives it to the first that still waits.
    fn hand_over(&mut self, mut handoff: Handoff, refused: &mut Vec<Refused<Turn>>) {
        self.occupy();
        while let Some(waiter) = self.next(refused) {
            match waiter.caller.send(Ok(handoff)) {
                Ok(()) => return,
                Err(Ok(back)) => handoff = back,
                // What was sent comes back, and that is a handoff.
                Err(Err(_)) => return,
            }
        }
        self.busy -= 1;
        if let Some(Room::Idle(slot)) = handoff.disarm() {
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

    pub(super) fn undrain(&mut self) {
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

    /// Callers that wait.
    pub(super) fn queued(&self) -> u32 {
        u32::try_from(self.queue.present() + self.nested.present()).unwrap_or(u32::MAX)
    }

    /// How long a call would wait that came now; `None` as long as that is not known.
    pub(super) fn wait_time(&self) -> Option<Duration> {
        self.queue.wait()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining
    }

    fn occupy(&mut self) {
        self.busy += 1;
        self.peak.record(self.busy);
    }

    fn worked_on(&self) -> u32 {
        self.busy.saturating_sub(self.waiting)
    }

    fn is_awaited(&self) -> bool {
        !self.queue.is_empty() || !self.nested.is_empty()
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
    use super::super::pressure::Pressure;
    use super::*;
    use stoa_settings::Priority;

    fn state(max: u32) -> State {
        let pressure = Pressure::new(Duration::MAX, Duration::MAX);
        State::new(0, max, Queue::new(8, pressure))
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
        assert!(state.enqueue(waiter, nested).is_empty());
        turn
    }

    #[test]
    fn who_comes_later_does_not_take_what_others_wait_for() {
        let (mut state, permits) = (state(2), Arc::default());
        let first = state.claim(&permits, 1, false);
        assert!(first.is_some());
        let _waits = wait(&mut state, false);
        drop(first);
        state.give_back(None, 0);
        assert!(state.claim(&permits, 1, false).is_none());
        assert!(state.is_turn(1));
        assert!(state.claim(&permits, 1, true).is_some(), "it is awaited");
    }

    #[test]
    fn a_nested_call_has_its_turn_beyond_the_limit() {
        let (mut state, permits) = (state(2), Arc::default());
        let _outer = state.claim(&permits, 1, false);
        assert!(state.claim(&permits, 1, false).is_none());
        let inner = state.claim(&permits, 1, true);
        assert!(inner.is_some());
        assert!(state.claim(&permits, 1, true).is_none(), "the pool is full");
        let _usual = wait(&mut state, false);
        assert!(!state.is_turn(1));
        let _nested = wait(&mut state, true);
        assert!(state.is_turn(1));
        assert_eq!(state.queued(), 2);
        let next = state.next(&mut Vec::new()).unwrap();
        drop(next);
        assert!(state.nested.is_empty(), "it comes first");
    }

    #[test]
    fn who_waits_for_the_host_is_in_nobodys_way() {
        let (mut state, permits) = (state(2), Arc::default());
        let _first = state.claim(&permits, 1, false);
        assert!(!state.wait(), "nobody waits for its place");
        let _second = state.claim(&permits, 1, false);
        assert!(state.claim(&permits, 1, false).is_none());
        let _waits = wait(&mut state, false);
        assert!(state.wait());
        assert!(state.is_turn(1), "but for an instance");
        state.resume();
        assert!(!state.is_turn(1));
    }
}
