//! One call for many that ask for the same at once.
//!
//! The first to miss leads, the others wait for what it brings. The call ends when
//! nobody is left who waits for it, be it the first or others. One that is gone without
//! a word lets those who wait go on by themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Key;
use super::entry::Entry;
use super::store::Moment;
use crate::respond::Failure;

/// The calls that are under way.
#[derive(Debug, Default)]
pub(super) struct SingleFlight(Mutex<Under>);

/// Who asks after a write or a purge does not take what was asked for before.
type Under = HashMap<(Key, Moment), watch::Sender<Landing>>;

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
    Lead(Flight, Aboard),
    Follow(Aboard),
}

/// Who waits for what a call brings.
pub(super) type Aboard = watch::Receiver<Landing>;

/// A call under way; over when dropped.
pub(super) struct Flight {
    /// Where others find it; nowhere if it is for one alone.
    joined: Option<(Arc<SingleFlight>, (Key, Moment))>,
    landing: watch::Sender<Landing>,
}

impl SingleFlight {
    pub(super) fn join(self: &Arc<Self>, key: Key, asked: Moment) -> Turn {
        let mut flights = self.lock();
        let key = (key, asked);
        if let Some(landing) = flights.get(&key) {
            return Turn::Follow(landing.subscribe());
        }
        let (landing, aboard) = watch::channel(Landing::Waiting);
        flights.insert(key, landing.clone());
        drop(flights);
        let joined = Some((self.clone(), key));
        Turn::Lead(Flight { joined, landing }, aboard)
    }

    fn lock(&self) -> MutexGuard<'_, Under> {
        // Nothing runs under the lock but a look-up or an insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// A call that nobody joins.
    pub(super) fn alone() -> (Self, Aboard) {
        let (landing, aboard) = watch::channel(Landing::Waiting);
        let joined = None;
        (Self { joined, landing }, aboard)
    }

    /// Waits until nobody waits for what it brings.
    pub(super) fn left(&self) -> impl Future<Output = ()> + Send + use<> {
        let landing = self.landing.clone();
        async move { landing.closed().await }
    }

    /// Ends the call with what it brought.
    pub(super) fn land(self, landing: Landing) {
        self.landing.send_replace(landing);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some((flights, key)) = &self.joined {
            flights.lock().remove(key);
        }
    }
}

/// What the call brings; [`Landing::Own`] if it is gone without a word.
pub(super) async fn landed(mut landing: Aboard) -> Landing {
    let landed = landing.wait_for(|landing| !matches!(landing, Landing::Waiting));
    landed.await.map_or(Landing::Own, |landed| landed.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [1; 32];

    fn lead(flights: &Arc<SingleFlight>) -> (Flight, Aboard) {
        match flights.join(KEY, Moment::default()) {
            Turn::Lead(flight, aboard) => (flight, aboard),
            Turn::Follow(_) => panic!("the first leads"),
        }
    }

    fn follow(flights: &Arc<SingleFlight>) -> Aboard {
        match flights.join(KEY, Moment::default()) {
            Turn::Follow(landing) => landing,
            Turn::Lead(..) => panic!("there is a leader already"),
        }
    }

    #[tokio::test]
    async fn followers_get_what_the_leader_brings() {
        let flights = Arc::new(SingleFlight::default());
        let (flight, _aboard) = lead(&flights);
        let followers = [follow(&flights), follow(&flights)];
        let failure = Failure::Answered(http::StatusCode::BAD_GATEWAY);
        flight.land(Landing::Failed(failure));
        for follower in followers {
            assert!(matches!(landed(follower).await, Landing::Failed(_)));
        }
        assert!(matches!(
            flights.join(KEY, Moment::default()),
            Turn::Lead(..)
        ));
    }

    #[tokio::test]
    async fn a_call_goes_on_for_those_who_stay() {
        let flights = Arc::new(SingleFlight::default());
        let (flight, first) = lead(&flights);
        let mut left = Box::pin(flight.left());
        let follower = follow(&flights);
        drop(first);
        assert!(futures::poll!(&mut left).is_pending());
        drop(follower);
        left.await;
        // Who comes in this moment finds it gone, and asks by themselves.
        let late = follow(&flights);
        drop(flight);
        assert!(matches!(landed(late).await, Landing::Own));
    }

    #[test]
    fn who_asks_after_a_change_leads_anew() {
        let flights = Arc::new(SingleFlight::default());
        let before = flights.join(KEY, Moment::default());
        let after = Moment::after(1);
        assert!(matches!(flights.join(KEY, after), Turn::Lead(..)));
        assert!(matches!(
            flights.join(KEY, Moment::default()),
            Turn::Follow(_)
        ));
        drop(before);
    }

    #[tokio::test]
    async fn a_leader_that_is_gone_leaves_nobody_waiting() {
        let flights = Arc::new(SingleFlight::default());
        let leader = flights.join(KEY, Moment::default());
        let follower = follow(&flights);
        drop(leader);
        assert!(matches!(landed(follower).await, Landing::Own));
        assert!(matches!(
            flights.join(KEY, Moment::default()),
            Turn::Lead(..)
        ));
    }
}
