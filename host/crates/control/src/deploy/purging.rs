//! The services whose state is being deleted: none of their names may come meanwhile.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Their names.
#[derive(Clone, Default)]
pub(super) struct Purging(Arc<Mutex<BTreeSet<String>>>);

/// One of them, until it is dropped.
pub(super) struct Begun {
    purging: Purging,
    service: String,
}

impl Purging {
    /// From now on, until what is returned is dropped.
    pub(super) fn begin(&self, service: &str) -> Begun {
        self.lock().insert(service.to_owned());
        Begun {
            purging: self.clone(),
            service: service.to_owned(),
        }
    }

    pub(super) fn has(&self, service: &str) -> bool {
        self.lock().contains(service)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.purging.lock().remove(&self.service);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_until_its_purge_is_over() {
        let purging = Purging::default();
        let begun = purging.begin("product");
        assert!(purging.has("product") && !purging.has("order"));
        drop(begun);
        assert!(!purging.has("product"));
    }
}
