//! State in memory, for tests: what it forgets is up to the test, and what fails.

mod buckets;
mod commit;
mod faults;
mod journal;
mod keyvalue;
mod log;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::buckets::Buckets;
use self::commit::MemoryCommit;
use self::faults::Chance;
pub use self::faults::Faults;
pub(crate) use self::journal::MemoryJournal;
use self::keyvalue::MemoryKeyValue;
pub use self::log::Faulty;
use crate::log::Local;
use crate::{Commit, KeyValue, Log};

/// State in memory that can be opened again, as if a host had died with all that it had
/// not written down.
pub struct Memory {
    journal: MemoryJournal,
    buckets: Buckets,
    log: Arc<Local<MemoryJournal>>,
    caller: Caller,
}

/// What one of many hosts has of the state.
#[derive(Clone)]
pub struct Caller {
    keyvalue: Arc<MemoryKeyValue>,
    log: Arc<Local<MemoryJournal>>,
}

// === impl Memory ===

impl Default for Memory {
    fn default() -> Self {
        Self::with(MemoryJournal::default(), Buckets::default())
    }
}

impl Memory {
    fn with(journal: MemoryJournal, buckets: Buckets) -> Self {
        let log = Arc::new(journal.open());
        let caller = Caller::new(&log, &buckets, Faults::default());
        Self {
            journal,
            buckets,
            log,
            caller,
        }
    }

    /// The queues.
    pub fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.log) as Arc<dyn Log>
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

    /// The same state as another host has it, failing by chance.
    pub fn faulty(&self, faults: Faults) -> Caller {
        Caller::new(&self.log, &self.buckets, faults)
    }

    /// The same state after a crash: what was applied is there, leases are not. Who
    /// still has the log of before must not use it.
    #[must_use]
    pub fn reopened(&self) -> Self {
        Self::with(self.journal.clone(), self.buckets.clone())
    }
}

// === impl Caller ===

impl Caller {
    fn new(log: &Arc<Local<MemoryJournal>>, buckets: &Buckets, faults: Faults) -> Self {
        let chance = Chance::new(faults);
        Self {
            keyvalue: Arc::new(MemoryKeyValue::new(buckets.clone(), chance)),
            log: Arc::clone(log),
        }
    }

    /// The buckets of all services.
    pub fn keyvalue(&self) -> Arc<dyn KeyValue> {
        Arc::clone(&self.keyvalue) as Arc<dyn KeyValue>
    }

    /// Writes of buckets and messages of queues in one step.
    pub fn commits(&self) -> Arc<dyn Commit> {
        Arc::new(MemoryCommit {
            keyvalue: Arc::clone(&self.keyvalue),
            log: Arc::clone(&self.log),
        })
    }
}
