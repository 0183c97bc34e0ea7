//! Instances that are parked with the worker that used them last.
//!
//! A worker parks what it gives back in a cell of its own, and takes it from there for
//! its next call: memory that no other core writes to meanwhile. Who finds its own cell
//! empty takes the lock of the pool's [`State`](super::state::State), and with it what
//! others have parked. A parked slot stays among the busy ones: who takes it takes that
//! place too, so that a worker's own needs no check against limits.
//!
//! Where others must know of what is given back, all cells are closed. So nobody waits
//! while an instance is parked: who waits closes them, in the queue already, before it
//! lets go of the state. Who gives back has either parked before its cell was closed,
//! and the slot was found there, or finds it closed, and goes to the state, where the
//! one that waits is found. There is no third way, for a cell's slot and whether it is
//! closed are under one lock.
//!
//! That lock is always the last: who holds it does not take the state's.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::slot::Slot;
use stoa_telemetry::metrics::PerThread;

/// The cells of all workers.
#[derive(Default)]
pub(super) struct ParkedSlots(PerThread<Mutex<Cell>>);

#[derive(Default)]
struct Cell {
    slot: Option<Slot>,
    is_closed: bool,
    /// Calls that asked here, whether or not they found something.
    calls: u64,
}

impl ParkedSlots {
    /// What the current worker has parked, for a call, which is counted.
    pub(super) fn take_own(&self) -> Option<Slot> {
        let mut cell = lock(self.0.own());
        cell.calls += 1;
        cell.slot.take()
    }

    /// Parks a whole instance with the current worker.
    ///
    /// # Errors
    ///
    /// Gives it back when the cell is closed or full, or the slot is a share of an
    /// instance, which is many workers' own.
    pub(super) fn park(&self, slot: Slot) -> Result<(), Slot> {
        if matches!(slot, Slot::Shared(..)) {
            return Err(slot);
        }
        let mut cell = lock(self.0.own());
        if cell.is_closed || cell.slot.is_some() {
            return Err(slot);
        }
        cell.slot = Some(slot);
        Ok(())
    }

    /// One that any worker has parked.
    pub(super) fn take_any(&self) -> Option<Slot> {
        self.0.all().find_map(|cell| lock(cell).slot.take())
    }

    /// All that are parked.
    pub(super) fn take_all(&self) -> Vec<Slot> {
        let cells = self.0.all();
        cells.filter_map(|cell| lock(cell).slot.take()).collect()
    }

    /// Lets nothing be parked from now on; gives what was.
    pub(super) fn close(&self) -> Vec<Slot> {
        let close = |cell| {
            let mut cell = lock(cell);
            cell.is_closed = true;
            cell.slot.take()
        };
        self.0.all().filter_map(close).collect()
    }

    /// Undoes [`ParkedSlots::close`].
    pub(super) fn open(&self) {
        for cell in self.0.all() {
            lock(cell).is_closed = false;
        }
    }

    /// How many are parked: at one moment, or a slot on its way between two cells would
    /// count twice.
    pub(super) fn count(&self) -> u32 {
        let cells: Vec<_> = self.0.all().map(lock).collect();
        let parked = cells.iter().filter(|cell| cell.slot.is_some()).count();
        u32::try_from(parked).unwrap_or(u32::MAX)
    }

    /// Calls that were counted.
    pub(super) fn calls(&self) -> u64 {
        self.0.all().map(|cell| lock(cell).calls).sum()
    }
}

fn lock(cell: &Mutex<Cell>) -> MutexGuard<'_, Cell> {
    // Nothing panics in between; if it did, a slot would be there or not all the same.
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}
