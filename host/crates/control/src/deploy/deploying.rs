//! Deployments come one after the other, as each makes its revisions the next of their
//! services. Other changes do not wait for them.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The deployment that is under way.
#[derive(Default)]
pub(super) struct Deploying {
    turn: tokio::sync::Mutex<()>,
    services: Mutex<Vec<String>>,
}

/// The turn of a deployment.
pub(super) struct Begun<'d> {
    deploying: &'d Deploying,
    _turn: tokio::sync::MutexGuard<'d, ()>,
}

impl Deploying {
    /// Waits for the turn of a deployment of these services and upstreams.
    pub(super) async fn begin(&self, services: Vec<String>) -> Begun<'_> {
        let turn = self.turn.lock().await;
        *self.lock() = services;
        Begun {
            deploying: self,
            _turn: turn,
        }
    }

    /// The services and upstreams of the deployment that has the turn.
    pub(super) fn services(&self) -> Vec<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.deploying.lock().clear();
    }
}
