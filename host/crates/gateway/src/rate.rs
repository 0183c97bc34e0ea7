//! Limits of rate: how many requests a caller may send to a route.
//!
//! A limiter belongs to a route of a service and not to a revision: a deploy
//! must not give everybody a new burst. Endpoints hold theirs, so that a request
//! looks up nothing but its caller. Knows nothing of what is served.

mod keys;
mod limiter;
mod status;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Client;
use super::endpoint::Endpoint;
pub(super) use limiter::{Exceeded, Limiter};
pub(super) use status::{RateLimitStatus, seconds};
use stoa_call::Principal;
use stoa_settings::Rate;

/// How often callers are forgotten that have their whole burst again.
const SWEEP: Duration = Duration::from_secs(10);

/// A service, the key of its route, and its rate: what keeps a limiter.
type Owner = (Arc<str>, String, Rate);

/// The limiters of a gateway.
pub(super) struct Rates {
    /// What an address may send, to all routes together.
    host: Option<Limiter>,
    routes: Mutex<HashMap<Owner, Arc<Limiter>>>,
}

impl Rates {
    pub(super) fn new(host: Option<&Rate>) -> Self {
        Self {
            host: host.map(|rate| Limiter::new("host", rate)),
            routes: Mutex::default(),
        }
    }

    /// Gives each endpoint the limiter of its route: the one it had, if the rate is
    /// the same. Those of other routes are forgotten.
    pub(super) fn attach<'e>(&self, endpoints: impl Iterator<Item = &'e Arc<Endpoint>>) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = HashMap::new();
        for endpoint in endpoints {
            let Some(rate) = &endpoint.rate else {
                continue;
            };
            let service = endpoint.service().clone();
            let owner = (service, endpoint.route.key(), rate.clone());
            let limiter = next.entry(owner).or_insert_with_key(|owner| {
                let known = routes.get(owner).cloned();
                known.unwrap_or_else(|| Arc::new(Limiter::new("route", &owner.2)))
            });
            // An endpoint of an older table has the same one already.
            let _ = endpoint.limiter.set(limiter.clone());
        }
        *routes = next;
    }

    /// Counts a request against what its address may send to this host.
    pub(super) fn admit_address(&self, client: &Client) -> Result<(), Exceeded> {
        let limiter = self.host.as_ref();
        limiter.map_or(Ok(()), |limiter| limiter.admit(client, None).map(drop))
    }

    /// Counts a request against the limit of its route, if there is one.
    pub(super) fn admit(
        &self,
        endpoint: &Endpoint,
        client: &Client,
        principal: Option<&Principal>,
    ) -> Result<Option<RateLimitStatus>, Exceeded> {
        let limiter = endpoint.limiter.get();
        limiter
            .map(|limiter| limiter.admit(client, principal))
            .transpose()
    }

    /// Counts a request that its route denies against the limit of its address. What
    /// all callers share is not used up by those who may not call.
    pub(super) fn admit_denied(
        &self,
        endpoint: &Endpoint,
        client: &Client,
    ) -> Result<Option<RateLimitStatus>, Exceeded> {
        let limiter = endpoint
            .limiter
            .get()
            .filter(|limiter| limiter.is_of_each());
        limiter
            .map(|limiter| limiter.admit(client, None))
            .transpose()
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
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let limiters: Vec<_> = routes.values().cloned().collect();
        drop(routes);
        for limiter in limiters.iter().map(Arc::as_ref).chain(&self.host) {
            limiter.sweep();
        }
    }
}

#[cfg(test)]
mod tests;
