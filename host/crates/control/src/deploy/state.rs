//! What is deployed: one immutable snapshot behind one pointer. Readers load it and
//! never wait; who changes it waits for their turn.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, MutexGuard};

use super::Deployed;

/// Services by name.
pub(super) type Services = BTreeMap<String, Deployed>;

/// The services of a host.
#[derive(Default)]
pub(super) struct State {
    current: ArcSwap<Services>,
    change: Mutex<()>,
    /// The services of the deployment that has the turn.
    deploying: std::sync::Mutex<Vec<String>>,
}

/// Tells of a deployment until it is dropped.
pub(super) struct Told<'s>(&'s State);

/// The right to change the services. They stay as they are meanwhile, but for what
/// its holder commits.
pub(super) struct Turn<'s> {
    state: &'s State,
    services: Arc<Services>,
    _one_at_a_time: MutexGuard<'s, ()>,
}

impl State {
    /// The services as they are now, also while they are being changed.
    pub(super) fn read(&self) -> Arc<Services> {
        self.current.load_full()
    }

    /// Tells that the turn is a deployment's, of these services.
    pub(super) fn tell(&self, services: Vec<String>) -> Told<'_> {
        self.set_deploying(services);
        Told(self)
    }

    /// The services of the deployment that has the turn.
    pub(super) fn deploying(&self) -> Vec<String> {
        let deploying = self.deploying.lock();
        deploying.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_deploying(&self, services: Vec<String>) {
        let mut deploying = self
            .deploying
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *deploying = services;
    }

    /// Waits until no other changes the services.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let one_at_a_time = self.change.lock().await;
        Turn {
            state: self,
            services: self.read(),
            _one_at_a_time: one_at_a_time,
        }
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.0.set_deploying(Vec::new());
    }
}

// === impl Turn ===

impl Turn<'_> {
    /// Makes `next` what readers find; returns what they found until now.
    pub(super) fn commit(&mut self, next: Services) -> Arc<Services> {
        let next = Arc::new(next);
        self.state.current.store(next.clone());
        std::mem::replace(&mut self.services, next)
    }
}

impl Deref for Turn<'_> {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.services
    }
}
