//! One stored answer, and what it is good for at a moment.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use tokio::time::Instant;

use super::Key;
use super::directives::RequestDirectives;

/// An answer in the cache.
#[derive(Debug)]
pub struct Entry {
    /// As it was answered.
    pub status: StatusCode,
    /// As they were answered.
    pub headers: HeaderMap,
    /// All of it.
    pub body: Bytes,
    /// Who answered.
    pub service: Arc<str>,
    /// What it can be purged by.
    pub tags: Vec<String>,
    /// The service let it be given to anyone, also to who shows credentials.
    pub anyone: bool,
    /// Where it stands.
    pub key: Key,
    /// Request headers that it depends on, beside those of the defaults.
    pub vary: Vec<HeaderName>,
    /// How long it is good.
    pub lives: Lives,
    /// When it was stored.
    pub stored: Instant,
}

/// How long an answer is good; both times of staleness begin when it is fresh no more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lives {
    /// How old it was when it came.
    pub age: Duration,
    /// How long it is fresh, from then on.
    pub fresh: Duration,
    /// How much longer it is served while a new one is fetched.
    pub stale_while_revalidate: Duration,
    /// How much longer than fresh it is served when the service fails.
    pub stale_if_error: Duration,
    /// No client may have it stale, even if it wants to.
    pub revalidate: bool,
}

/// What an answer is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// To be served.
    Serve,
    /// To be served while a new one is fetched.
    ServeAndRefresh,
    /// To be served if a new one can't be had.
    IfError,
    /// Nothing.
    Nothing,
}

impl Entry {
    /// How old it is, its age on arrival included.
    pub fn age(&self, now: Instant) -> Duration {
        self.lives.age + now.saturating_duration_since(self.stored)
    }

    /// What is left of its freshness.
    pub fn fresh_for(&self, now: Instant) -> Duration {
        let kept = now.saturating_duration_since(self.stored);
        self.lives.fresh.saturating_sub(kept)
    }

    /// What it is good for to who asks so.
    pub fn good_for(&self, now: Instant, asks: &RequestDirectives) -> Use {
        self.lives
            .good_for(now.saturating_duration_since(self.stored), asks)
    }

    /// Bytes that it takes, about.
    pub fn size(&self) -> usize {
        /// An entry and a header beside their text.
        const BESIDE: (usize, usize) = (400, 100);
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + BESIDE.1);
        BESIDE.0 + self.body.len() + headers.sum::<usize>()
    }
}

impl Lives {
    /// What an answer is good for that was stored `kept` ago.
    fn good_for(&self, kept: Duration, asks: &RequestDirectives) -> Use {
        let too_old = asks.max_age.is_some_and(|most| self.age + kept > most);
        let fresh = self.fresh > kept && self.fresh - kept >= asks.min_fresh;
        let stale_for = kept.saturating_sub(self.fresh);
        let if_error = if stale_for < self.stale_if_error {
            Use::IfError
        } else {
            Use::Nothing
        };
        if asks.no_cache || too_old || asks.min_fresh > Duration::ZERO && !fresh {
            return if_error;
        }
        if fresh {
            Use::Serve
        } else if stale_for < self.stale_while_revalidate {
            Use::ServeAndRefresh
        } else if !self.revalidate && asks.max_stale.is_some_and(|most| stale_for <= most) {
            Use::Serve
        } else {
            if_error
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn lives(fresh: u64, refresh: u64, error: u64) -> Lives {
        Lives {
            age: Duration::ZERO,
            fresh: seconds(fresh),
            stale_while_revalidate: seconds(refresh),
            stale_if_error: seconds(error),
            revalidate: false,
        }
    }

    #[test]
    fn an_answer_grows_old() {
        let lives = lives(10, 5, 20);
        let at = |kept| lives.good_for(seconds(kept), &RequestDirectives::default());
        let uses = [0, 9, 10, 14, 15, 29, 30].map(at);
        use Use::{IfError, Nothing, Serve, ServeAndRefresh};
        assert_eq!(
            uses,
            [
                Serve,
                Serve,
                ServeAndRefresh,
                ServeAndRefresh,
                IfError,
                IfError,
                Nothing
            ]
        );
    }

    #[test]
    fn a_client_may_ask_for_less_age() {
        let lives = lives(10, 5, 1);
        let asked = |asks: &RequestDirectives| lives.good_for(seconds(4), asks);
        let max_age = |age| RequestDirectives {
            max_age: Some(seconds(age)),
            ..RequestDirectives::default()
        };
        assert_eq!(asked(&max_age(4)), Use::Serve);
        assert_eq!(asked(&max_age(3)), Use::IfError);
        let min_fresh = |left| RequestDirectives {
            min_fresh: seconds(left),
            ..RequestDirectives::default()
        };
        assert_eq!(asked(&min_fresh(6)), Use::Serve);
        assert_eq!(asked(&min_fresh(7)), Use::IfError);
    }

    #[test]
    fn a_client_may_take_what_is_stale() {
        let may = lives(10, 0, 0);
        let must = Lives {
            revalidate: true,
            ..may
        };
        let asks = RequestDirectives {
            max_stale: Some(seconds(5)),
            ..RequestDirectives::default()
        };
        assert_eq!(may.good_for(seconds(15), &asks), Use::Serve);
        assert_eq!(may.good_for(seconds(16), &asks), Use::Nothing);
        assert_eq!(must.good_for(seconds(15), &asks), Use::Nothing);
    }

    proptest! {
        /// With time an answer is never good for more, and whatever a client asks
        /// it gets nothing older than without asking.
        #[test]
        fn time_and_wishes_only_take(
            (fresh, refresh, error) in (0u64..50, 0u64..50, 0u64..50),
            kept in 0u64..200, later in 0u64..100,
            max_age in proptest::option::of(0u64..100), min_fresh in 0u64..20, no_cache: bool,
        ) {
            let lives = lives(fresh, refresh, error);
            let plain = RequestDirectives::default();
            let now = lives.good_for(seconds(kept), &plain);
            let then = lives.good_for(seconds(kept + later), &plain);
            prop_assert!(then >= now);
            let asks = RequestDirectives { max_age: max_age.map(seconds), min_fresh: seconds(min_fresh), no_cache, ..plain };
            let asked = lives.good_for(seconds(kept), &asks);
            prop_assert!(asked >= now);
            if asked == Use::Serve {
                prop_assert!(kept < fresh && !no_cache);
                prop_assert!(max_age.is_none_or(|most| kept <= most));
                prop_assert!(kept + min_fresh <= fresh);
            }
        }
    }
}
