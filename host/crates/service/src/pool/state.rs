//! What a pool's lock protects. No call here waits, and no instance is dropped
//! here: what is to go is returned, so that unmapping happens outside the lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::lanes::{Caller, Lanes, Waiter};
use super::parked::ParkedSlots;
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

/// On cache lines of its own, with its lock: calls that touch neither read the rest of
/// the pool.
#[repr(align(128))]
pub(super) struct State {
    min: u32,
    max: u32,
    /// Calls that are worked on at the same time.
    limit: u32,
    permits: Arc<InstancePermits>,
    /// Slots that calls hold or workers have parked, and instances that are being made.
    busy: u32,
    /// Busy ones whose calls wait for the host, and are not in the way of others.
    waiting: u32,
    /// Used last comes last, and goes first.
    idle: Vec<Slot>,
    /// Used later than those.
    parked: Arc<ParkedSlots>,
    /// Whether workers park nothing.
    closed: bool,
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

/// What the slots of a pool do.
pub(super) struct Usage {
    /// Those that serve a call, or will when they are made.
    pub(super) busy: u32,
    /// Those that wait for one, parked or not.
    pub(super) idle: u32,
}

impl State {
    /// An empty pool of `bounds` instances, in which `limit` calls are worked on at a
    /// time.
    pub(super) fn new(
        (min, max): (u32, u32),
        limit: u32,
        queue: Queue<Turn>,
        parked: Arc<ParkedSlots>,
    ) -> Self {
        Self {
            min,
            max,
            limit,
            permits: Arc::default(),
            busy: 0,
            waiting: 0,
            idle: Vec::new(),
            parked,
            closed: false,
            nested: Lanes::default(),
            queue,
            peak: Peak::default(),
            draining: false,
        }
    }

    /// Room for a call: what others have parked, else more if the call is `nested` or
    /// fewer than the limit are worked on. Nobody takes what others wait for, who may
    /// matter more.
    pub(super) fn claim(&mut self, nested: bool) -> Option<Room> {
        if !self.nested.is_empty() || (!nested && !self.queue.is_empty()) {
            return None;
        }
        if !self.closed
            && let Some(slot) = self.parked.take_any()
        {
            return Some(Room::Idle(slot));
        }
        if !nested && self.worked_on() >= self.limit {
            return None;
        }
        let room = self.room()?;
        self.occupy();
        self.open_or_close();
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
        self.open_or_close();
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
        self.open_or_close();
    }

    /// A permit for an instance that the minimum lacks.
    pub(super) fn claim_missing(&mut self) -> Option<InstancePermit> {
        if self.draining || self.live() >= self.min {
            return None;
        }
        let permit = self.permits.take(self.max)?;
        self.busy += 1;
        self.open_or_close();
        Some(permit)
    }

    pub(super) fn give_back(&mut self, slot: Option<Slot>) -> GivenBack {
        self.busy -= 1;
        let mut surplus = None;
        match slot {
            Some(slot) if self.draining || self.live() > self.max => surplus = Some(slot),
            Some(slot) => self.idle.push(slot),
            None => {}
        }
        self.open_or_close();
        GivenBack {
            surplus,
            awaited: self.is_awaited() || self.is_drained(),
        }
    }

    /// Adds slots of an instance that serves several calls.
    pub(super) fn offer(&mut self, slots: Vec<Slot>) {
        self.idle.extend(slots);
    }

    /// Hands idle instances, or permits for new ones, to those who wait, while fewer
    /// calls than the limit are worked on, or to nested ones. Whose time was over is
    /// returned.
    pub(super) fn serve_queue(&mut self, pool: &Arc<Pool>) -> Vec<Refused<Turn>> {
        let mut refused = Vec::new();
        while self.is_turn() {
            let Some(room) = self.room() else { break };
            self.hand_over(Handoff::new(pool, room), &mut refused);
        }
        self.open_or_close();
        refused
    }

    /// Whether somebody has a turn if there is room.
    fn is_turn(&self) -> bool {
        !self.nested.is_empty() || (self.worked_on() < self.limit && !self.queue.is_empty())
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
    fn room(&mut self) -> Option<Room> {
        match self.pop_idle() {
            Some(slot) => Some(Room::Idle(slot)),
            None => self.permits.take(self.max).map(Room::New),
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
    pub(super) fn scale(&mut self, min: u32, max: u32) -> Vec<Slot> {
        self.min = min;
        self.max = max;
        self.unpark();
        self.open_or_close();
        let unneeded = self.live().saturating_sub(min) as usize;
        self.idle.drain(..unneeded.min(self.idle.len())).collect()
    }

    /// Ends a window; returns what its peak did not need, longest unused first.
    pub(super) fn shrink(&mut self) -> Vec<Slot> {
        self.unpark();
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
        self.open_or_close();
        std::mem::take(&mut self.idle)
    }

    pub(super) fn undrain(&mut self) {
        self.draining = false;
        self.open_or_close();
    }

    pub(super) fn min(&self) -> u32 {
        self.min
    }

    pub(super) fn max(&self) -> u32 {
        self.max
    }

    /// Calls that are worked on at the same time, as far as instances allow.
    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// Instances, also those that are just being made.
    pub(super) fn live(&self) -> u32 {
        self.permits.taken()
    }

    pub(super) fn usage(&self) -> Usage {
        let parked = self.parked.count();
        let idle = u32::try_from(self.idle.len()).unwrap_or(u32::MAX);
        Usage {
            busy: self.busy - parked,
            idle: idle + parked,
        }
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

    /// Whether it drains, and no call is under way.
    pub(super) fn is_drained(&self) -> bool {
        self.draining && self.busy == 0
    }

    /// Whether nobody has to wait for the end of a drain.
    pub(super) fn is_settled(&self) -> bool {
        !self.draining || self.is_drained()
    }

    /// Lets workers park what they give back, unless others must know of it: somebody
    /// waits for it, it is to go, or more calls are worked on than may be, and what one
    /// gives back is not yet for another one.
    fn open_or_close(&mut self) {
        let close = self.draining
            || self.is_awaited()
            || self.live() > self.max
            || self.worked_on() > self.limit;
        if close == self.closed {
            return;
        }
        self.closed = close;
        if close {
            let slots = self.parked.close();
            self.make_idle(slots);
        } else {
            self.parked.open();
        }
    }

    /// Makes what is parked idle for all.
    fn unpark(&mut self) {
        let slots = self.parked.take_all();
        self.make_idle(slots);
    }

    /// Puts what was parked with the idle ones.
    fn make_idle(&mut self, slots: Vec<Slot>) {
        for slot in slots {
            self.busy -= 1;
            self.idle.push(slot);
        }
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
mod tests;
