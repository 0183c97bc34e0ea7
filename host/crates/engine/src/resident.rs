//! Native code that is in memory: services with the same component share it.
//!
//! Code is found here for as long as a revision uses it. Knows nothing of disks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use wasmtime::component::Component;

/// The components in memory, by digest, engine and compatibility.
#[derive(Default)]
pub(super) struct Resident(Mutex<HashMap<String, Weak<Component>>>);

impl Resident {
    /// The component under `name`, if a revision uses it.
    pub(super) fn get(&self, name: &str) -> Option<Arc<Component>> {
        self.lock().get(name).and_then(Weak::upgrade)
    }

    /// Shares `component` from now on; of two that were made at the same time the
    /// first is kept.
    pub(super) fn share(&self, name: String, component: Component) -> Arc<Component> {
        let mut resident = self.lock();
        if let Some(first) = resident.get(&name).and_then(Weak::upgrade) {
            return first;
        }
        resident.retain(|_, component| component.strong_count() > 0);
        let component = Arc::new(component);
        resident.insert(name, Arc::downgrade(&component));
        component
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<Component>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
