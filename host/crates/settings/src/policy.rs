//! What a route does to requests and responses beside its work.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Route, Settings};

impl Settings {
    /// The routes, each with what its service has for those that say nothing.
    pub fn routes_in_force(&self) -> Vec<Route> {
        let fill = |route: &Route| {
            let rate = Choice::in_force(route.rate.as_ref(), self.rate.as_ref());
            Route {
                rate: rate.cloned().map(Choice::Own),
                ..route.clone()
            }
        };
        self.routes.iter().map(fill).collect()
    }
}

/// What a route says of something that its service has a default for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice<T> {
    /// Not here, whatever the service says.
    Off,
    /// Its own.
    Own(T),
}

impl<T> Choice<T> {
    /// What is in force: the route's word goes before the service's.
    pub fn in_force<'a>(route: Option<&'a Self>, service: Option<&'a T>) -> Option<&'a T> {
        match route {
            None => service,
            Some(Self::Off) => None,
            Some(Self::Own(own)) => Some(own),
        }
    }
}

/// Whether answers may be compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// As the client takes it, where it is worth it.
    #[default]
    On,
    /// Not: for answers in which a secret stands beside what a stranger chose.
    Off,
}

impl Compression {
    /// Whether they may.
    pub fn is_on(&self) -> bool {
        *self == Self::On
    }
}

/// How many requests a caller may send: a bucket that fills steadily (GCRA).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Requests in each `per`, in the long run.
    pub limit: NonZeroU32,
    /// The time that `limit` is for.
    #[serde(with = "super::duration", default = "per")]
    pub per: Duration,
    /// Requests at once, after a time without any; `None` is `limit`: nobody is
    /// refused who sends no more than `limit` in any `per`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
    /// Whose requests are counted together.
    #[serde(default)]
    pub by: By,
}

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Those of a principal; of an address where nobody is known. People behind
    /// one address do not share a limit once they say who they are.
    #[default]
    Principal,
    /// Those of a client address; an IPv6 network of /64 is one.
    Address,
    /// All.
    Route,
}

/// Seconds are what limits are written in.
fn per() -> Duration {
    Duration::from_secs(1)
}

impl Rate {
    /// Longest time in which a used up limit is whole again. Beyond, it is a
    /// quota, which must survive a restart.
    const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);

    /// A rate for each caller.
    ///
    /// # Errors
    /// Why it can't be kept.
    pub fn new(limit: NonZeroU32, per: Duration) -> Result<Self, String> {
        let rate = Self::each(limit, per);
        rate.check().map(|()| rate)
    }

    /// A rate for each caller, whether it can be kept or not.
    pub fn each(limit: NonZeroU32, per: Duration) -> Self {
        Self {
            limit,
            per,
            burst: None,
            by: By::default(),
        }
    }

    /// Requests at once, after a time without any.
    pub fn burst(&self) -> NonZeroU32 {
        self.burst.unwrap_or(self.limit)
    }

    /// Time between two requests of a caller that never stops.
    pub fn interval(&self) -> Duration {
        self.per / self.limit.get()
    }

    /// Time in which a used up limit is whole again.
    pub fn refill(&self) -> Duration {
        self.interval().saturating_mul(self.burst().get())
    }

    /// Whether the rate can be kept.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn check(&self) -> Result<(), String> {
        if self.interval().is_zero() {
            return Err(format!(
                "expected a rate of one request a nanosecond at most, found {} in {:?}",
                self.limit, self.per
            ));
        }
        if self.refill() > Self::LONGEST {
            return Err(format!(
                "expected a rate whose burst comes back within 31 days, found {} at {} in {:?}",
                self.burst(),
                self.limit,
                self.per
            ));
        }
        Ok(())
    }
}
