//! How state fails that is on other machines.

use std::sync::{Mutex, PoisonError};

use fastrand::Rng;

use crate::StoreError;

/// What fails, and how often: shares of the calls, from 0 to 1. By default nothing does.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Faults {
    /// The same one brings the same faults for the same calls.
    pub seed: u64,
    /// A reply that lets other tasks go on first.
    pub delayed: f64,
    /// An error, and nothing is done.
    pub refused: f64,
    /// An error though it is done.
    pub unknown: f64,
    /// A delivery that comes twice.
    pub repeated: f64,
    /// A read that finds what was there before, as far as the trait allows it.
    pub stale: f64,
}

impl Faults {
    /// Some of everything.
    pub fn some(seed: u64) -> Self {
        Self {
            seed,
            delayed: 0.3,
            refused: 0.1,
            unknown: 0.1,
            repeated: 0.1,
            stale: 0.3,
        }
    }
}

/// Turns for other tasks that a delayed call takes before it is done, and its reply
/// after, at most.
const TURNS: usize = 10;

/// Makes calls fail.
pub(super) struct Chance {
    faults: Faults,
    rng: Mutex<Rng>,
}

/// What is to happen to a call.
#[derive(Clone, Copy)]
pub(super) struct Fault {
    turns: [usize; 2],
    refused: bool,
    unknown: bool,
}

// === impl Chance ===

impl Chance {
    pub(super) fn new(faults: Faults) -> Self {
        let rng = Mutex::new(Rng::with_seed(faults.seed));
        Self { faults, rng }
    }

    pub(super) fn fault(&self) -> Fault {
        let delayed = self.falls(self.faults.delayed);
        let turns = || match delayed {
            true => self.rng().usize(..TURNS),
            false => 0,
        };
        Fault {
            turns: [turns(), turns()],
            refused: self.falls(self.faults.refused),
            unknown: self.falls(self.faults.unknown),
        }
    }

    /// Whether a delivery comes twice.
    pub(super) fn repeats(&self) -> bool {
        self.falls(self.faults.repeated)
    }

    /// The newest of all states, or by chance an older one.
    pub(super) fn stale<T: Default>(&self, mut states: Vec<T>) -> T {
        if self.falls(self.faults.stale) {
            states.truncate(self.rng().usize(..states.len().max(1)) + 1);
        }
        states.pop().unwrap_or_default()
    }

    fn falls(&self, share: f64) -> bool {
        self.rng().f64() < share
    }

    fn rng(&self) -> std::sync::MutexGuard<'_, Rng> {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Fault ===

impl Fault {
    /// Ask before anything is done.
    pub(super) fn refuse(self) -> Result<(), StoreError> {
        match self.refused {
            true => Err(StoreError::Io("refused by chance".into())),
            false => Ok(()),
        }
    }

    /// Others are first.
    pub(super) async fn before(self) {
        pass(self.turns[0]).await;
    }

    /// It is done, but perhaps not said.
    pub(super) async fn after(self) -> Result<(), StoreError> {
        pass(self.turns[1]).await;
        match self.unknown {
            true => Err(StoreError::Io("done, but not said, by chance".into())),
            false => Ok(()),
        }
    }
}

async fn pass(turns: usize) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}
