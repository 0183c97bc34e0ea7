//! An instance as the pool keeps it, and its way to a caller that waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Pool;
use stoa_engine::shared::SharedInstance;
use stoa_engine::{Fault, Instance};

/// Counts the live instances of a pool, also those that are just being made.
#[derive(Default)]
pub(super) struct InstancePermits(AtomicU32);

/// The right to have one instance; free again when dropped.
pub(super) struct InstancePermit(Arc<InstancePermits>);

impl InstancePermits {
    pub(super) fn taken(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// A permit, if fewer than `max` are taken.
    pub(super) fn take(self: &Arc<Self>, max: u32) -> Option<InstancePermit> {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |live| {
                (live < max).then_some(live + 1)
            })
            .ok()
            .map(|_| InstancePermit(Arc::clone(self)))
    }
}

impl Drop for InstancePermit {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Room for one call in a live instance.
pub(super) enum Slot {
    /// The whole instance, which is dropped before its permit.
    Exclusive(
        Box<Instance>,
        #[expect(dead_code, reason = "held as long as the instance lives")] InstancePermit,
    ),
    /// One of the calls that an instance serves at a time.
    Shared(
        SharedInstance,
        #[expect(dead_code, reason = "held until the last slot goes")] Arc<InstancePermit>,
    ),
}

/// What a pool has for a call.
pub(super) enum Room {
    /// In an instance that is there.
    Idle(Slot),
    /// For a new instance.
    New(InstancePermit),
}

impl Slot {
    /// Whether it may serve another call.
    pub(super) fn is_usable(&self, reuse: u64) -> bool {
        match self {
            Self::Exclusive(instance, _) => instance.calls() < reuse,
            Self::Shared(instance, _) => instance.is_open() && instance.calls() < reuse,
        }
    }
}

/// Room on its way to a caller. When the caller is gone it goes back to the pool.
pub(super) struct Handoff {
    pool: Arc<Pool>,
    room: Option<Room>,
}

impl Handoff {
    pub(super) fn new(pool: &Arc<Pool>, room: Room) -> Self {
        Self {
            pool: Arc::clone(pool),
            room: Some(room),
        }
    }

    /// Takes out what it holds, without giving it back.
    pub(super) fn disarm(mut self) -> Option<Room> {
        self.room.take()
    }

    /// The instance that was handed over; `None` if it is a permit for a new one.
    pub(super) fn open(&mut self) -> Option<Slot> {
        match self.room.take() {
            Some(Room::Idle(slot)) => Some(slot),
            new => {
                self.room = new;
                None
            }
        }
    }

    /// Uses the permit for a new instance.
    pub(super) fn fill(self, instance: Instance) -> Option<Slot> {
        match self.disarm() {
            Some(Room::New(permit)) => Some(Slot::Exclusive(Box::new(instance), permit)),
            _ => None,
        }
    }

    /// Uses the permit for a new instance that serves `concurrency` calls at a time: one
    /// slot for the caller, the others for the pool.
    pub(super) fn fill_shared(
        mut self,
        instance: Instance,
        functions: usize,
        concurrency: u32,
    ) -> Result<Vec<Slot>, Fault> {
        // Until it runs, the permit stays where a failure gives it back.
        let shared = SharedInstance::start(instance, functions)?;
        let Some(Room::New(permit)) = self.room.take() else {
            return Ok(Vec::new());
        };
        let permit = Arc::new(permit);
        Ok((0..concurrency)
            .map(|_| Slot::Shared(shared.clone(), permit.clone()))
            .collect())
    }
}

impl Drop for Handoff {
    fn drop(&mut self) {
        match self.room.take() {
            Some(Room::Idle(slot)) => self.pool.give_back(Some(slot)),
            Some(Room::New(permit)) => {
                drop(permit);
                self.pool.give_back(None);
            }
            None => {}
        }
    }
}
