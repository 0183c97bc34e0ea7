//! An instance for the time of one call.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use super::Pool;
use super::slot::Slot;
use stoa_engine::Instance;
use stoa_engine::shared::SharedInstance;

/// An instance, or a share of one, for one call.
pub enum Lease {
    /// The whole instance.
    Exclusive(ExclusiveLease),
    /// One call in an instance that serves several.
    Shared(SharedLease),
}

impl Lease {
    pub(super) fn new(pool: &Arc<Pool>, slot: Slot) -> Self {
        let held = HeldSlot {
            pool: Arc::clone(pool),
            slot: Some(slot),
            sound: false,
            since: None,
        };
        match held.slot {
            Some(Slot::Exclusive(..)) => Self::Exclusive(ExclusiveLease(held)),
            _ => Self::Shared(SharedLease(held)),
        }
    }

    /// The same, had by a call that has waited for it.
    pub(super) fn had_since(mut self, now: Instant) -> Self {
        let (Self::Exclusive(ExclusiveLease(held)) | Self::Shared(SharedLease(held))) = &mut self;
        held.since = Some(now);
        self
    }

    /// Since when a call has it that has waited for it; `None` where it did not wait.
    pub fn since(&self) -> Option<Instant> {
        match self {
            Self::Exclusive(ExclusiveLease(held)) | Self::Shared(SharedLease(held)) => held.since,
        }
    }

    /// Gives it back unused.
    pub(super) fn keep(self) {
        match self {
            Self::Exclusive(lease) => lease.keep(),
            Self::Shared(lease) => drop(lease),
        }
    }
}

/// A whole instance. Dropped without [`ExclusiveLease::keep`], the instance goes:
/// its call did not end, or ended badly.
pub struct ExclusiveLease(HeldSlot);

impl ExclusiveLease {
    /// Gives the instance back for further calls.
    pub fn keep(mut self) {
        self.0.sound = true;
    }
}

impl Deref for ExclusiveLease {
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

impl DerefMut for ExclusiveLease {
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
pub struct SharedLease(HeldSlot);

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
struct HeldSlot {
    pool: Arc<Pool>,
    slot: Option<Slot>,
    sound: bool,
    since: Option<Instant>,
}

impl Drop for HeldSlot {
    fn drop(&mut self) {
        let slot = self.slot.take();
        let kept = slot.filter(|slot| self.sound || matches!(slot, Slot::Shared(..)));
        self.pool.give_back(kept);
    }
}
