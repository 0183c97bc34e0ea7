//! One limit and its callers.

use std::hash::RandomState;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};
use http::HeaderValue;

use super::keys::{Key, Keys};
use crate::client::Client;
use stoa_call::Principal;
use stoa_http::rate_limit::{RateLimitStatus, policy};
use stoa_settings::{By, Rate};

/// Callers that a limiter tells apart: some 10 MiB of them.
const MOST_KEYS: usize = 100_000;

/// A limit, and how much of it each caller has used up.
pub(crate) struct Limiter<C: Clock = DefaultClock> {
    /// As the headers call it.
    name: &'static str,
    policy: HeaderValue,
    rate: Rate,
    cells: RateLimiter<Key, Keys, C, StateInformationMiddleware>,
    hashing: RandomState,
}

/// A caller has used its limit up.
#[derive(Debug)]
pub(crate) struct Exceeded {
    pub(crate) status: RateLimitStatus,
    /// Until the next request may come.
    pub(crate) wait: Duration,
}

impl Limiter {
    pub(super) fn new(name: &'static str, rate: &Rate) -> Self {
        Self::with_clock(name, rate, MOST_KEYS, DefaultClock::default())
    }
}

impl<C: Clock> Limiter<C> {
    pub(super) fn with_clock(name: &'static str, rate: &Rate, most: usize, clock: C) -> Self {
        let quota = Quota::with_period(rate.interval())
            .expect("a rate with an interval of nothing is not deployed")
            .allow_burst(rate.burst());
        Self {
            name,
            policy: policy(name, rate.burst(), rate.refill()),
            rate: rate.clone(),
            cells: RateLimiter::new(quota, Keys::new(most), clock),
            hashing: RandomState::new(),
        }
    }

    /// Whether each caller has a limit of its own.
    pub(crate) fn is_of_each(&self) -> bool {
        self.rate.by != By::Route
    }

    /// Counts one request of a caller.
    pub(crate) fn admit(
        &self,
        client: &Client,
        principal: Option<&Principal>,
    ) -> Result<RateLimitStatus, Exceeded> {
        let key = match (self.rate.by, principal) {
            (By::Route, _) => Key::Everyone,
            (By::Principal, Some(principal)) => Key::principal(principal, &self.hashing),
            (By::Principal, None) | (By::Address, _) => Key::address(client.address()),
        };
        match self.cells.check_key(&key) {
            Ok(snapshot) => {
                let remaining = snapshot.remaining_burst_capacity();
                let used = self.rate.burst().get().saturating_sub(remaining);
                Ok(self.status(remaining, self.rate.interval().saturating_mul(used)))
            }
            Err(not_until) => {
                let wait = not_until.wait_time_from(self.cells.clock().now());
                let status = self.status(0, wait);
                Err(Exceeded { status, wait })
            }
        }
    }

    /// Forgets callers that have their whole burst again.
    pub(super) fn sweep(&self) {
        self.cells.retain_recent();
    }

    #[cfg(test)]
    pub(super) fn callers(&self) -> usize {
        self.cells.len()
    }

    fn status(&self, remaining: u32, reset: Duration) -> RateLimitStatus {
        RateLimitStatus {
            name: self.name,
            policy: self.policy.clone(),
            remaining,
            reset,
        }
    }
}
