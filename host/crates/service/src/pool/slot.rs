//! An instance as the pool keeps it, and its way to a caller that waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Pool;
use stoa_engine::shared::SharedInstance;
use stoa_engine::{Fault, Instance};

/// Counts the live instances of a pool, also those that are just being made.
#[derive(Default)]
pub(super) struct Seats(AtomicU32);

/// The right to have one instance; free again when dropped.
pub(super) struct Seat(Arc<Seats>);

impl Seats {
    pub(super) fn live(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// A seat, if fewer than `max` are taken.
    pub(super) fn take(self: &Arc<Self>, max: u32) -> Option<Seat> {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |live| {
                (live < max).then_some(live + 1)
            })
            .ok()
            .map(|_| Seat(Arc::clone(self)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Room for one call in a live instance.
pub(super) enum Slot {
    /// The whole instance.
    Exclusive(Box<Warm>),
    /// One of the calls that an instance serves at a time.
    Shared(
        SharedInstance,
        #[expect(dead_code, reason = "held until the last slot goes")] Arc<Seat>,
    ),
}

/// An instance and its seat, dropped in this order.
pub(super) struct Warm {
    pub(super) instance: Instance,
    _seat: Seat,
}

impl Slot {
    /// Whether it may serve another call.
    pub(super) fn is_usable(&self, reuse: u64) -> bool {
        match self {
            Self::Exclusive(warm) => warm.instance.calls() < reuse,
            Self::Shared(instance, _) => instance.is_open() && instance.calls() < reuse,
        }
    }
}

/// An instance, or the right to make one, on its way to a caller. When the caller
/// is gone it goes back to the pool.
pub(super) struct Handoff {
    pool: Arc<Pool>,
    what: Option<What>,
}

pub(super) enum What {
    Instance(Slot),
    Start(Seat),
}

impl Handoff {
    pub(super) fn new(pool: &Arc<Pool>, what: What) -> Self {
        Self {
            pool: Arc::clone(pool),
            what: Some(what),
        }
    }

    pub(super) fn start(pool: &Arc<Pool>, seat: Seat) -> Self {
        Self::new(pool, What::Start(seat))
    }

    /// Takes out what it holds, without giving it back.
    pub(super) fn disarm(mut self) -> Option<What> {
        self.what.take()
    }

    /// The instance that was handed over, or the seat for a new one.
    pub(super) fn open(&mut self) -> Option<Slot> {
        match self.what.take() {
            Some(What::Instance(slot)) => Some(slot),
            start => {
                self.what = start;
                None
            }
        }
    }

    /// Puts a new instance on the seat.
    pub(super) fn seat_exclusive(self, instance: Instance) -> Option<Slot> {
        match self.disarm() {
            Some(What::Start(seat)) => Some(Slot::Exclusive(Box::new(Warm {
                instance,
                _seat: seat,
            }))),
            _ => None,
        }
    }

    /// Puts a new instance on the seat for `concurrency` calls at a time: one
    /// slot for the caller, the others for the pool.
    pub(super) fn seat_shared(
        mut self,
        instance: Instance,
        functions: usize,
        concurrency: u32,
    ) -> Result<Vec<Slot>, Fault> {
        // Until it runs, the seat stays where a failure gives it back.
        let shared = SharedInstance::start(instance, functions)?;
        let Some(What::Start(seat)) = self.what.take() else {
            return Ok(Vec::new());
        };
        let seat = Arc::new(seat);
        Ok((0..concurrency)
            .map(|_| Slot::Shared(shared.clone(), seat.clone()))
            .collect())
    }
}

impl Drop for Handoff {
    fn drop(&mut self) {
        match self.what.take() {
            Some(What::Instance(slot)) => self.pool.give_back(Some(slot)),
            Some(What::Start(seat)) => {
                drop(seat);
                self.pool.give_back(None);
            }
            None => {}
        }
    }
}
