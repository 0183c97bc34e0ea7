//! One call for many that ask for the same at once.
//!
//! The first to miss leads, the others wait for what it brings. The call ends when
//! nobody is left who waits for it, be it the first or others. One that is gone without
//! a word lets those who wait go on by themselves. `F` is how a call fails.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Key;
use super::entry::Entry;
use super::store::Moment;

/// The calls that are under way.
#[derive(Debug)]
pub struct SingleFlight<F>(Mutex<Under<F>>);

/// Who asks after a write or a purge does not take what was asked for before.
type FlightKey = (Key, Moment);

type Under<F> = HashMap<FlightKey, watch::Sender<Landing<F>>>;

/// What a call brings to those who wait for it.
#[derive(Debug, Clone)]
pub enum Landing<F> {
    /// It is under way.
    Waiting,
    /// An answer for all.
    Shared(Arc<Entry>),
    /// An answer for its own client alone.
    Own,
    /// The service failed, for all.
    Failed(F),
}

/// Whose turn it is.
pub enum Turn<F> {
    /// To make the call, and to wait for it.
    Lead(Lead<F>),
    /// To wait for it.
    Follow(Aboard<F>),
}

/// A call that is to be made by who waits for it, too.
pub struct Lead<F> {
    /// To end with what the call brought.
    pub flight: Flight<F>,
    /// To be held as long as its maker waits.
    pub aboard: Aboard<F>,
}

/// Who waits for what a call brings.
pub type Aboard<F> = watch::Receiver<Landing<F>>;

/// A call under way; over when dropped.
pub struct Flight<F> {
    /// Where others find it; nowhere if it is for one alone.
    joined: Option<(Arc<SingleFlight<F>>, FlightKey)>,
    landing: watch::Sender<Landing<F>>,
}

impl<F> Default for SingleFlight<F> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<F> SingleFlight<F> {
    /// The turn of a request for `key` that came at the moment `asked`.
    pub fn join(self: &Arc<Self>, key: Key, asked: Moment) -> Turn<F> {
        let mut flights = self.lock();
        let key = (key, asked);
        if let Some(landing) = flights.get(&key) {
            return Turn::Follow(landing.subscribe());
        }
        let (landing, aboard) = watch::channel(Landing::Waiting);
        flights.insert(key, landing.clone());
        drop(flights);
        let joined = Some((self.clone(), key));
        Turn::Lead(Lead {
            flight: Flight { joined, landing },
            aboard,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Under<F>> {
        // Nothing runs under the lock but a look-up or an insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> Lead<F> {
    /// A call that nobody joins.
    pub fn alone() -> Self {
        let (landing, aboard) = watch::channel(Landing::Waiting);
        let joined = None;
        Self {
            flight: Flight { joined, landing },
            aboard,
        }
    }
}

impl<F> Flight<F> {
    /// Waits until nobody waits for what it brings.
    pub fn left(&self) -> impl Future<Output = ()> + Send + use<F>
    where
        F: Send + Sync,
    {
        let landing = self.landing.clone();
        async move { landing.closed().await }
    }

    /// Ends the call with what it brought.
    pub fn land(self, landing: Landing<F>) {
        self.landing.send_replace(landing);
    }
}

impl<F> Drop for Flight<F> {
    fn drop(&mut self) {
        if let Some((flights, key)) = &self.joined {
            flights.lock().remove(key);
        }
    }
}

/// What the call brings; [`Landing::Own`] if it is gone without a word.
pub async fn landed<F: Clone>(mut landing: Aboard<F>) -> Landing<F> {
    let landed = landing.wait_for(|landing| !matches!(landing, Landing::Waiting));
    landed.await.map_or(Landing::Own, |landed| landed.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [1; 32];

    /// They fail with a text.
    type Flights = SingleFlight<&'static str>;

    fn lead(flights: &Arc<Flights>) -> (Flight<&'static str>, Aboard<&'static str>) {
        match flights.join(KEY, Moment::default()) {
            Turn::Lead(lead) => (lead.flight, lead.aboard),
            Turn::Follow(_) => panic!("the first leads"),
        }
    }

    fn follow(flights: &Arc<Flights>) -> Aboard<&'static str> {
        match flights.join(KEY, Moment::default()) {
            Turn::Follow(landing) => landing,
            Turn::Lead(..) => panic!("there is a leader already"),
        }
    }

    #[tokio::test]
    async fn followers_get_what_the_leader_brings() {
        let flights = Arc::new(Flights::default());
        let (flight, _aboard) = lead(&flights);
        let followers = [follow(&flights), follow(&flights)];
        flight.land(Landing::Failed("in vain"));
        for follower in followers {
            assert!(matches!(landed(follower).await, Landing::Failed("in vain")));
        }
        assert!(matches!(
            flights.join(KEY, Moment::default()),
            Turn::Lead(..)
        ));
    }

    #[tokio::test]
    async fn a_call_goes_on_for_those_who_stay() {
        let flights = Arc::new(Flights::default());
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
        let flights = Arc::new(Flights::default());
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
        let flights = Arc::new(Flights::default());
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
