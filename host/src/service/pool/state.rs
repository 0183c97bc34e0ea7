//! What a pool's lock protects. No call here waits, and no instance is dropped
//! here: what is to go is returned, so that unmapping happens outside the lock.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Pool;
use super::peak::Peak;
use super::slot::{Handoff, Seat, Seats, Slot, What};

pub(super) struct State {
    min: u32,
    max: u32,
    /// Slots that calls hold, and instances that are being made.
    busy: u32,
    /// Used last comes last, and goes first.
    idle: Vec<Slot>,
    waiting: VecDeque<oneshot::Sender<Handoff>>,
    peak: Peak,
    draining: bool,
}

/// How a call gets its instance.
pub(super) enum Claim {
    Idle(Slot),
    Start(Seat),
    Wait(oneshot::Receiver<Handoff>),
    Full,
}

/// What is left to do after something was given back.
pub(super) struct GivenBack {
    /// To be dropped.
    pub(super) surplus: Option<Slot>,
    /// Whether somebody waits: for an instance, or for the pool to be empty.
    pub(super) awaited: bool,
}

impl State {
    pub(super) fn new(min: u32, max: u32) -> Self {
        Self {
            min,
            max,
            busy: 0,
            idle: Vec::new(),
            waiting: VecDeque::new(),
            peak: Peak::default(),
            draining: false,
        }
    }

    pub(super) fn claim(&mut self, seats: &Arc<Seats>, queue: u32) -> Claim {
        if let Some(slot) = self.pop_idle() {
            self.occupy();
            return Claim::Idle(slot);
        }
        if let Some(seat) = seats.take(self.max) {
            self.occupy();
            return Claim::Start(seat);
        }
        if self.waiting.len() >= queue as usize {
            // Callers that gave up still stand in the queue.
            self.waiting.retain(|turn| !turn.is_closed());
            if self.waiting.len() >= queue as usize {
                return Claim::Full;
            }
        }
        let (turn, wait) = oneshot::channel();
        self.waiting.push_back(turn);
        Claim::Wait(wait)
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
            awaited: !self.waiting.is_empty() || (self.draining && self.busy == 0),
        }
    }

    /// Adds slots of an instance that serves several calls.
    pub(super) fn offer(&mut self, slots: Vec<Slot>) {
        self.idle.extend(slots);
    }

    /// Hands idle instances, or seats for new ones, to those who wait.
    pub(super) fn serve_queue(&mut self, pool: &Arc<Pool>, seats: &Arc<Seats>) {
        while !self.waiting.is_empty() {
            let what = match self.pop_idle() {
                Some(slot) => What::Instance(slot),
                None => match seats.take(self.max) {
                    Some(seat) => What::Start(seat),
                    None => return,
                },
            };
            self.hand_over(Handoff::new(pool, what));
        }
    }

    /// Gives it to the first that still waits.
    fn hand_over(&mut self, mut handoff: Handoff) {
        self.occupy();
        while let Some(turn) = self.waiting.pop_front() {
            match turn.send(handoff) {
                Ok(()) => return,
                Err(refused) => handoff = refused,
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
        let waiting = self.waiting.iter().filter(|turn| !turn.is_closed()).count();
        u32::try_from(waiting).unwrap_or(u32::MAX)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining
    }

    fn occupy(&mut self) {
        self.busy += 1;
        self.peak.record(self.busy);
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
