//! State in memory, for tests: what it forgets is up to the test, and what fails.

mod faults;
mod journal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::faults::{Faults, Faulty};
pub(crate) use self::journal::MemoryJournal;
use crate::Log;
use crate::log::Local;

/// State in memory that can be opened again, as if a host had died with all that it had
/// not written down.
pub struct Memory {
    journal: MemoryJournal,
    log: Arc<Local<MemoryJournal>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::with(MemoryJournal::default())
    }
}

impl Memory {
    fn with(journal: MemoryJournal) -> Self {
        let log = Arc::new(journal.open());
        Self { journal, log }
    }

    /// The queues.
    pub fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.log) as Arc<dyn Log>
    }

    /// The queues, failing by chance.
    pub fn faulty_log(&self, faults: Faults) -> Arc<dyn Log> {
        Arc::new(Faulty::new(self.log(), faults))
    }

    /// The same state after a crash: what was applied is there, leases are not. Who
    /// still has the log of before must not use it.
    #[must_use]
    pub fn reopened(&self) -> Self {
        Self::with(self.journal.clone())
    }
}
