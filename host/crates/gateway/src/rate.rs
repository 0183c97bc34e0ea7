//! Limits of rate: how many requests a caller may send to a route.
//!
//! A limiter belongs to a route of a service and not to a revision: a deploy
//! must not give everybody a new burst. Plans hold theirs, so that a request
//! looks up nothing but its caller. Knows nothing of what is served.

mod keys;
mod limiter;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::client::Client;
use super::endpoint::Endpoint;
pub(super) use limiter::{Exceeded, Limiter};
use stoa_settings::{Choice, Rate};

/// How often callers are forgotten that have their whole burst again.
const SWEEP: Duration = Duration::from_secs(10);

/// A service, the key of its route, and its rate: what keeps a limiter.
type Owner = (Arc<str>, String, Rate);

/// The limiters of a gateway.
pub(super) struct Rates {
    /// What an address may send, to all routes together.
    host: Option<Limiter>,
    routes: Mutex<HashMap<Owner, Weak<Limiter>>>,
}

impl Rates {
    pub(super) fn new(host: Option<&Rate>) -> Self {
        Self {
            host: host.map(|rate| Limiter::new("host", rate)),
            routes: Mutex::default(),
        }
    }

    /// The limiter of an endpoint's route, where it has a limit: the one that is there
    /// already, if the rate is the same.
    ///
    /// # Errors
    ///
    /// What is wrong with the rate.
    pub(super) fn limiter(&self, to: &Endpoint) -> Result<Option<Arc<Limiter>>, Vec<String>> {
        let service = to.settings().and_then(|settings| settings.rate.as_ref());
        let Some(rate) = Choice::in_force(to.route.rate.as_ref(), service) else {
            return Ok(None);
        };
        rate.check()
            .map_err(|fault| vec![format!("`rate`: {fault}")])?;
        let owner = (to.service().clone(), to.route.key(), rate.clone());
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = routes.get(&owner).and_then(Weak::upgrade);
        Ok(Some(known.unwrap_or_else(|| {
            let new = Arc::new(Limiter::new("route", rate));
            routes.insert(owner, Arc::downgrade(&new));
            new
        })))
    }

    /// Counts a request against what its address may send to this host.
    pub(super) fn admit_address(&self, client: &Client) -> Result<(), Exceeded> {
        let limiter = self.host.as_ref();
        limiter.map_or(Ok(()), |limiter| limiter.admit(client, None).map(drop))
    }

    /// Forgets, for ever, callers that have their whole burst again.
    pub(super) async fn tend(&self) {
        let mut sweeps = tokio::time::interval(SWEEP);
        loop {
            sweeps.tick().await;
            self.sweep();
        }
    }

    fn sweep(&self) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        // Those whose routes are gone go with them.
        routes.retain(|_, limiter| limiter.strong_count() > 0);
        let limiters: Vec<_> = routes.values().filter_map(Weak::upgrade).collect();
        drop(routes);
        for limiter in limiters.iter().map(Arc::as_ref).chain(&self.host) {
            limiter.sweep();
        }
    }
}

#[cfg(test)]
mod tests;
