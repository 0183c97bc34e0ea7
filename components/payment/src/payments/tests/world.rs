//! Payments in memory, with a provider that has its own, over a store that can die.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use stoa_sdk::store::{Access, Store, Watched};
use stoa_sdk::{Bucket, Error, Money, Timestamp, unavailable};

use crate::{Account, Changes, Payments, Provider, Sandbox};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(crate) fn euros(minor: i64) -> Money {
    Money::new(minor, "EUR").unwrap()
}

/// What is kept over a crash, and who is told.
pub(crate) struct World {
    records: Arc<dyn Store>,
    ledger: Arc<dyn Store>,
    told: Mutex<Vec<String>>,
    /// Writes until the host dies.
    left: Arc<AtomicUsize>,
    pauses: AtomicU32,
    /// Who waits is stopped, so often.
    stops: AtomicU32,
}

impl Default for World {
    fn default() -> Self {
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let store = || -> Arc<dyn Store> {
            let left = left.clone();
            Arc::new(Watched::new(move |access| match access {
                Access::Write if left.fetch_sub(1, Ordering::SeqCst) == 0 => {
                    left.store(0, Ordering::SeqCst);
                    Err(unavailable!("the host has died"))
                }
                _ => Ok(()),
            }))
        };
        Self {
            records: store(),
            ledger: store(),
            told: Mutex::default(),
            left,
            pauses: AtomicU32::new(0),
            stops: AtomicU32::new(0),
        }
    }
}

impl World {
    /// The payments, with nothing of them in memory.
    pub(crate) fn shop(&self) -> Payments<impl Provider, &Self> {
        let ledger = Bucket::over(self.ledger.clone());
        let sandbox = Sandbox::new(ledger, || {
            self.pauses.fetch_add(1, Ordering::SeqCst);
            let stops = self.stops.load(Ordering::SeqCst);
            match stops.checked_sub(1) {
                None => Ok(()),
                Some(left) => {
                    self.stops.store(left, Ordering::SeqCst);
                    Err(unavailable!("the call was stopped"))
                }
            }
        });
        Payments::new(Bucket::over(self.records.clone()), sandbox, self)
    }

    /// The provider's own account.
    pub(crate) fn account(&self, order: &str) -> Account {
        let ledger = Bucket::over(self.ledger.clone());
        ledger.get(order).unwrap().expect("the provider knows it")
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn pauses(&self) -> u32 {
        self.pauses.load(Ordering::SeqCst)
    }

    pub(crate) fn stops_who_waits(&self) {
        self.stops.store(1, Ordering::SeqCst);
    }

    /// The host dies instead of the write after so many, or lives on.
    pub(crate) fn dies_after(&self, writes: Option<usize>) {
        self.left
            .store(writes.unwrap_or(usize::MAX), Ordering::SeqCst);
    }
}

impl Changes for &World {
    fn changed(&self, order: &str) -> Result<(), Error> {
        self.told.lock().unwrap().push(order.to_owned());
        Ok(())
    }
}
