//! An instance for the time of one call.

use std::borrow::Borrow;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use super::Pool;
use super::slot::Slot;
use stoa_engine::Instance;
use stoa_engine::shared::SharedInstance;

/// An instance, or a share of one, for one call.
pub enum Lease<'p> {
    /// The whole instance.
    Exclusive(ExclusiveLease<&'p Arc<Pool>>),
    /// One call in an instance that serves several.
    Shared(SharedLease),
}

impl<'p> Lease<'p> {
    pub(super) fn new(pool: &'p Arc<Pool>, slot: Slot) -> Self {
        match slot {
            Slot::Exclusive(..) => Self::Exclusive(ExclusiveLease(HeldSlot::new(pool, slot))),
            Slot::Shared(..) => Self::Shared(SharedLease(HeldSlot::new(Arc::clone(pool), slot))),
        }
    }

    /// The same, had by a call that has waited for it.
    pub(super) fn had_since(mut self, now: Instant) -> Self {
        match &mut self {
            Self::Exclusive(lease) => lease.0.since = Some(now),
            Self::Shared(lease) => lease.0.since = Some(now),
        }
        self
    }

    /// Since when a call has it that has waited for it; `None` where it did not wait.
    pub fn since(&self) -> Option<Instant> {
        match self {
            Self::Exclusive(lease) => lease.0.since,
            Self::Shared(lease) => lease.0.since,
        }
    }
}

/// A whole instance. Dropped without [`ExclusiveLease::keep`], the instance goes:
/// its call did not end, or ended badly.
///
/// It owns its pool or borrows it: to count one more owner is to write to a line that
/// all cores read.
pub struct ExclusiveLease<P: Borrow<Arc<Pool>> = Arc<Pool>>(HeldSlot<P>);

impl<P: Borrow<Arc<Pool>>> ExclusiveLease<P> {
    /// Gives the instance back for further calls.
    pub fn keep(mut self) {
        self.0.sound = true;
    }

    /// The same, for a call that outlives who made it.
    pub fn into_owned(self) -> ExclusiveLease {
        ExclusiveLease(self.0.into_owned())
    }
}

impl<P: Borrow<Arc<Pool>>> Deref for ExclusiveLease<P> {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        match &self.0.slot {
            Some(Slot::Exclusive(instance, _)) => instance,
            _ => unreachable!(
                "an exclusive lease is made from an exclusive slot and keeps it until it is dropped"
            ),
        }
    }
}

impl<P: Borrow<Arc<Pool>>> DerefMut for ExclusiveLease<P> {
    fn deref_mut(&mut self) -> &mut Instance {
        match &mut self.0.slot {
            Some(Slot::Exclusive(instance, _)) => instance,
            _ => unreachable!(
                "an exclusive lease is made from an exclusive slot and keeps it until it is dropped"
            ),
        }
    }
}

/// A share of an instance: goes back by itself, for the instance knows whether
/// it is still sound.
///
/// It owns the pool: the instance keeps it for as long as the call is under way.
pub struct SharedLease(HeldSlot<Arc<Pool>>);

impl SharedLease {
    /// The instance that it is a share of.
    pub fn instance(&self) -> SharedInstance {
        match &self.0.slot {
            Some(Slot::Shared(instance, _)) => instance.clone(),
            _ => unreachable!(
                "a shared lease is made from a shared slot and keeps it until it is dropped"
            ),
        }
    }
}

/// A slot that a call holds.
struct HeldSlot<P: Borrow<Arc<Pool>>> {
    pool: P,
    /// `None` when another lease has it.
    slot: Option<Slot>,
    sound: bool,
    since: Option<Instant>,
}

impl<P: Borrow<Arc<Pool>>> HeldSlot<P> {
    fn new(pool: P, slot: Slot) -> Self {
        Self {
            pool,
            slot: Some(slot),
            sound: false,
            since: None,
        }
    }

    fn into_owned(mut self) -> HeldSlot<Arc<Pool>> {
        HeldSlot {
            pool: Arc::clone(self.pool.borrow()),
            slot: self.slot.take(),
            sound: self.sound,
            since: self.since,
        }
    }
}

impl<P: Borrow<Arc<Pool>>> Drop for HeldSlot<P> {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        let kept = self.sound || matches!(slot, Slot::Shared(..));
        self.pool.borrow().give_back(kept.then_some(slot));
    }
}
