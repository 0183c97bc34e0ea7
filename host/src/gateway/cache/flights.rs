//! One call for many that ask for the same at once.
//!
//! The first to miss leads, the others wait for what it brings. A leader that is
//! gone without a word lets its followers go on by themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Key;
use super::entry::Entry;
use super::shelf::Moment;
use crate::gateway::respond::Failure;

/// The calls that are under way.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<Under>);

/// Who asks after a write or a purge does not take what was asked for before.
type Under = HashMap<(Key, Moment), watch::Receiver<Landing>>;

/// What a call brings to those who wait for it.
#[derive(Debug, Clone)]
pub(super) enum Landing {
    /// It is under way.
    Waiting,
    /// An answer for all.
    Shared(Arc<Entry>),
    /// An answer for its own client alone.
    Own,
    /// The service failed, for all.
    Failed(Failure),
}

/// Whose turn it is.
pub(super) enum Turn {
    Lead(Flight),
    Follow(watch::Receiver<Landing>),
}

/// A call under way; over when dropped.
pub(super) struct Flight {
    flights: Arc<Flights>,
    key: (Key, Moment),
    landing: watch::Sender<Landing>,
}

impl Flights {
    pub(super) fn join(self: &Arc<Self>, key: Key, asked: Moment) -> Turn {
        let mut flights = self.lock();
        let key = (key, asked);
        if let Some(landing) = flights.get(&key) {
            return Turn::Follow(landing.clone());
        }
        let (landing, waiting) = watch::channel(Landing::Waiting);
        flights.insert(key, waiting);
        drop(flights);
        Turn::Lead(Flight {
            flights: self.clone(),
            key,
            landing,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Under> {
        // Nothing runs under the lock but a look-up or an insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// Ends the call with what it brought.
    pub(super) fn land(self, landing: Landing) {
        self.landing.send_replace(landing);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}

/// What the call brings; [`Landing::Own`] if it is gone without a word.
pub(super) async fn landed(mut landing: watch::Receiver<Landing>) -> Landing {
    let landed = landing.wait_for(|landing| !matches!(landing, Landing::Waiting));
    landed.await.map_or(Landing::Own, |landed| landed.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [1; 32];

    fn follow(flights: &Arc<Flights>) -> watch::Receiver<Landing> {
        match flights.join(KEY, Moment::default()) {
            Turn::Follow(landing) => landing,
            Turn::Lead(_) => panic!("there is a leader already"),
        }
    }

    #[tokio::test]
    async fn followers_get_what_the_leader_brings() {
        let flights = Arc::new(Flights::default());
        let Turn::Lead(flight) = flights.join(KEY, Moment::default()) else {
            panic!("the first leads")
        };
        let followers = [follow(&flights), follow(&flights)];
        let failure = Failure::Answered(http::StatusCode::BAD_GATEWAY);
        flight.land(Landing::Failed(failure));
        for follower in followers {
            assert!(matches!(landed(follower).await, Landing::Failed(_)));
        }
        assert!(matches!(
            flights.join(KEY, Moment::default()),
            Turn::Lead(_)
        ));
    }

    #[test]
    fn who_asks_after_a_change_leads_anew() {
        let flights = Arc::new(Flights::default());
        let before = flights.join(KEY, Moment::default());
        let after = Moment::after(1);
        assert!(matches!(flights.join(KEY, after), Turn::Lead(_)));
        assert!(matches!(
            flights.join(KEY, Moment::default()),
            Turn::Follow(_)
        ));
        drop(before);
    }

    #[tokio::test]
    async fn a_leader_that_is_gone_leaves_nobody_waiting() {
        let flights = Arc::new(Flights::default());
        let leader = flights.join(KEY, Moment::default());
        let follower = follow(&flights);
        drop(leader);
        assert!(matches!(landed(follower).await, Landing::Own));
        assert!(matches!(
            flights.join(KEY, Moment::default()),
            Turn::Lead(_)
        ));
    }
}
