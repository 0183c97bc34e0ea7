//! State in memory, for tests: what it forgets is up to the test, and what fails.

mod blobs;
mod buckets;
mod commit;
mod faults;
mod journal;
mod keyvalue;
mod leases;
mod log;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::blobs::{MemoryBlobs, SharedAccounts};
use self::buckets::Buckets;
use self::commit::MemoryCommit;
use self::faults::Chance;
pub use self::faults::Faults;
pub(crate) use self::journal::MemoryJournal;
use self::keyvalue::MemoryKeyValue;
use self::leases::{MemoryLeases, Names};
pub use self::log::Faulty;
use crate::log::Local;
use crate::{Blobs, Commit, KeyValue, Leases, Log};

/// State in memory that can be opened again, as if a host had died with all that it had
/// not written down.
pub struct Memory {
    disk: Disk,
    caller: Caller,
}

/// What outlives a crash. A clone has the same.
#[derive(Clone, Default)]
struct Disk {
    journal: MemoryJournal,
    buckets: Buckets,
    names: Names,
    blobs: Buckets,
    accounts: SharedAccounts,
}

/// What one of many hosts has of the state.
#[derive(Clone)]
pub struct Caller {
    keyvalue: Arc<MemoryKeyValue>,
    leases: Arc<MemoryLeases>,
    blobs: MemoryBlobs,
    log: Arc<Local<MemoryJournal>>,
}

// === impl Memory ===

impl Default for Memory {
    fn default() -> Self {
        Self::with(Disk::default())
    }
}

impl Memory {
    fn with(disk: Disk) -> Self {
        let log = Arc::new(disk.journal.open());
        let caller = disk.caller(log, Faults::default());
        Self { disk, caller }
    }

    /// The queues.
    pub fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.caller.log) as Arc<dyn Log>
    }

    /// The queues, failing by chance.
    pub fn faulty_log(&self, faults: Faults) -> Arc<dyn Log> {
        Arc::new(Faulty::new(self.log(), faults))
    }

    /// The buckets of all services.
    pub fn keyvalue(&self) -> Arc<dyn KeyValue> {
        self.caller.keyvalue()
    }

    /// Writes of buckets and messages of queues in one step.
    pub fn commits(&self) -> Arc<dyn Commit> {
        self.caller.commits()
    }

    /// Which host does what.
    pub fn leases(&self) -> Arc<dyn Leases> {
        self.caller.leases()
    }

    /// The blobs of all services.
    pub fn blobs(&self) -> Arc<dyn Blobs> {
        self.caller.blobs()
    }

    /// The same as another host has it, failing by chance.
    pub fn faulty(&self, faults: Faults) -> Caller {
        self.disk.caller(Arc::clone(&self.caller.log), faults)
    }

    /// The same state after a crash: what was applied is there, leases of messages are
    /// not. Who still has the log of before must not use it.
    #[must_use]
    pub fn reopened(&self) -> Self {
        Self::with(self.disk.clone())
    }
}

// === impl Disk ===

impl Disk {
    fn caller(&self, log: Arc<Local<MemoryJournal>>, faults: Faults) -> Caller {
        let buckets = self.buckets.clone();
        Caller {
            keyvalue: Arc::new(MemoryKeyValue::new(buckets, Chance::new(faults))),
            leases: Arc::new(MemoryLeases {
                names: Arc::clone(&self.names),
                chance: Chance::new(faults),
            }),
            blobs: MemoryBlobs {
                buckets: Arc::new(MemoryKeyValue::new(self.blobs.clone(), Chance::new(faults))),
                accounts: Arc::clone(&self.accounts),
            },
            log,
        }
    }
}

// === impl Caller ===

impl Caller {
    /// The buckets of all services.
    pub fn keyvalue(&self) -> Arc<dyn KeyValue> {
        Arc::clone(&self.keyvalue) as Arc<dyn KeyValue>
    }

    /// Which host does what.
    pub fn leases(&self) -> Arc<dyn Leases> {
        Arc::clone(&self.leases) as Arc<dyn Leases>
    }

    /// The blobs of all services.
    pub fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::new(self.blobs.clone())
    }

    /// Writes of buckets and messages of queues in one step.
    pub fn commits(&self) -> Arc<dyn Commit> {
        Arc::new(MemoryCommit {
            keyvalue: Arc::clone(&self.keyvalue),
            log: Arc::clone(&self.log),
        })
    }
}
