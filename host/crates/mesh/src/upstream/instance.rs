//! One instance of an upstream: where it is, and whether it gets traffic.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Uri;
use tokio::sync::watch;
use tokio::time::Instant;

use super::watch::Watch;
use crate::breaker::{Breaker, Reading};
pub use stoa_api::upstream::{Registration, Status};
use stoa_settings as settings;
use stoa_settings::upstream::target;

/// How long an instance that joined stays without a sign of life: three of the
/// heartbeats that it should send, each 5 s.
pub const TTL: Duration = Duration::from_secs(15);
/// Leases are as long as people wait for a crash to be noticed, at most.
const LONGEST_TTL: Duration = Duration::from_secs(3600);
/// Bytes of a name at most.
const LONGEST_ID: usize = 256;
/// Bytes that an instance may tell of itself: as Eureka's clients, a few words.
const METADATA: usize = 64 << 10;
/// The weight of an instance that names none, so that others can have less.
pub const WEIGHT: u32 = 100;

/// An instance of an upstream. A clone is the same instance.
#[derive(Clone)]
pub struct Instance {
    /// Its name, unique in its upstream.
    pub id: String,
    /// Scheme and authority.
    pub origin: Uri,
    /// Its share against that of others, at least 1.
    pub weight: u32,
    /// What it tells of itself.
    pub metadata: BTreeMap<String, String>,
    /// `None` where it was declared and stays.
    lease: Option<Arc<Renewal>>,
    state: Arc<Mutex<State>>,
    seen: Arc<Seen>,
    pub(super) breaker: Arc<Breaker>,
}

/// What the host sees of an instance, whatever it says of itself.
struct Seen {
    /// By active checks; true where there are none.
    healthy: AtomicBool,
    in_flight: AtomicU32,
    requests: AtomicU64,
    /// Whether it is one of its upstream's no longer.
    gone: watch::Sender<bool>,
}

struct Renewal {
    ttl: Duration,
    renewed: Mutex<Instant>,
}

struct State {
    reported: Status,
    /// Of an operator; goes before what it says of itself.
    forced: Option<Status>,
}

/// A registration that comes in.
#[derive(Clone, Copy)]
pub struct Joining<'a> {
    /// Of the instance.
    pub id: &'a str,
    /// What it says of itself.
    pub registration: &'a Registration,
    /// When its lease begins.
    pub now: Instant,
}

impl Instance {
    /// An instance that joins with a lease. It takes over from the one
    /// of its name: an operator's word, and where it is at the same place, what was
    /// seen there.
    ///
    /// # Errors
    ///
    /// What is wrong with the registration.
    pub fn joined(
        joining: Joining<'_>,
        before: Option<&Self>,
        breaker: &settings::Breaker,
        watch: &Watch,
    ) -> Result<Self, String> {
        let Joining {
            id,
            registration,
            now,
        } = joining;
        let ttl = registration.ttl.map_or(TTL, Duration::from_secs);
        if ttl.is_zero() || ttl > LONGEST_TTL {
            return Err(format!(
                "`ttl`: expected 1 to {} seconds, found {}",
                LONGEST_TTL.as_secs(),
                ttl.as_secs()
            ));
        }
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(format!(
                "the instance's id: expected 1 to {LONGEST_ID} bytes, found {}",
                id.len()
            ));
        }
        let told = registration.metadata.iter();
        let told: usize = told.map(|(name, value)| name.len() + value.len()).sum();
        if told > METADATA {
            return Err(format!(
                "`metadata`: expected {METADATA} bytes at most, found {told}"
            ));
        }
        let weight = registration.weight.unwrap_or(WEIGHT);
        if !(1..=10_000).contains(&weight) {
            return Err(format!("`weight`: expected 1 to 10000, found {weight}"));
        }
        let origin = target(&registration.url).map_err(|fault| format!("`url`: {fault}"))?;
        let there = before.filter(|before| before.origin == origin);
        let kept = there.map(|there| &there.breaker);
        let kept = kept.filter(|kept| kept.settings() == breaker).cloned();
        let breaker = kept.unwrap_or_else(|| watch.breaker(id, breaker));
        let mut instance = Self::new(id, origin, weight, breaker);
        if let Some(there) = there {
            instance.seen = there.seen.clone();
        }
        instance.force(before.and_then(Self::forced));
        instance.metadata.clone_from(&registration.metadata);
        instance.lease = Some(Arc::new(Renewal {
            ttl,
            renewed: Mutex::new(now),
        }));
        instance.report(registration.status.unwrap_or(Status::Up));
        Ok(instance)
    }

    /// An instance that was declared: it has no lease.
    pub fn declared(origin: Uri, breaker: &settings::Breaker, watch: &Watch) -> Self {
        let id = origin.to_string();
        let breaker = watch.breaker(&id, breaker);
        Self::new(&id, origin, WEIGHT, breaker)
    }

    fn new(id: &str, origin: Uri, weight: u32, breaker: Arc<Breaker>) -> Self {
        Self {
            id: id.to_owned(),
            origin,
            weight,
            metadata: BTreeMap::new(),
            lease: None,
            state: Arc::new(Mutex::new(State {
                reported: Status::Up,
                forced: None,
            })),
            seen: Arc::new(Seen {
                healthy: AtomicBool::new(true),
                in_flight: AtomicU32::new(0),
                requests: AtomicU64::new(0),
                gone: watch::Sender::default(),
            }),
            breaker,
        }
    }

    /// The same instance behind a new breaker; `None` if its settings are these.
    pub(super) fn guarded_anew(&self, settings: &settings::Breaker, watch: &Watch) -> Option<Self> {
        (self.breaker.settings() != settings).then(|| Self {
            breaker: watch.breaker(&self.id, settings),
            ..self.clone()
        })
    }

    /// Where it is in its life: what an operator says, else what it says itself,
    /// else what its checks say.
    pub fn status(&self) -> Status {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (state.forced, state.reported) {
            (Some(forced), _) => forced,
            (None, Status::Up) if !self.seen.healthy.load(Ordering::Relaxed) => Status::Down,
            (None, reported) => reported,
        }
    }

    /// The same, as others are told it: it is down, too, while its breaker is open or
    /// probes. That is no state of which to take it out: only requests bring it back.
    pub fn standing(&self) -> Status {
        match self.status() {
            Status::Up if self.breaker.is_cut_off() => Status::Down,
            status => status,
        }
    }

    /// What its breaker is, and what it counts.
    pub fn breaker(&self) -> Reading {
        self.breaker.read()
    }

    /// Takes it out or in, whatever it says of itself; `None` ends that.
    pub fn force(&self, status: Option<Status>) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .forced = status;
    }

    /// What an operator holds it at.
    pub fn forced(&self) -> Option<Status> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .forced
    }

    /// What it says of itself now.
    pub fn report(&self, status: Status) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .reported = status;
    }

    /// What active checks found.
    pub fn set_healthy(&self, healthy: bool) {
        self.seen.healthy.store(healthy, Ordering::Relaxed);
    }

    /// Begins its lease anew.
    pub fn renew(&self, now: Instant) {
        if let Some(lease) = &self.lease {
            *lease.renewed.lock().unwrap_or_else(PoisonError::into_inner) = now;
        }
    }

    /// How long its lease has been over; `None` while it holds, and without one.
    pub fn overdue(&self, now: Instant) -> Option<Duration> {
        let lease = self.lease.as_ref()?;
        let renewed = *lease.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        now.saturating_duration_since(renewed)
            .checked_sub(lease.ttl)
            .filter(|over| !over.is_zero())
    }

    /// Whether it joined with a lease.
    pub fn is_leased(&self) -> bool {
        self.lease.is_some()
    }

    /// Its lease's length in seconds.
    pub fn ttl(&self) -> Option<u64> {
        self.lease.as_ref().map(|lease| lease.ttl.as_secs())
    }

    /// Requests that it serves now.
    pub fn in_flight(&self) -> u32 {
        self.seen.in_flight.load(Ordering::Relaxed)
    }

    /// Requests that it was sent.
    pub fn requests(&self) -> u64 {
        self.seen.requests.load(Ordering::Relaxed)
    }

    /// Completes when it is one of its upstream's no longer, or has moved.
    pub async fn gone(&self) {
        let mut gone = self.seen.gone.subscribe();
        // An error would mean that this instance is gone.
        let _ = gone.wait_for(|gone| *gone).await;
    }

    pub(super) fn end(&self) {
        self.seen.gone.send_replace(true);
    }

    /// Whether both are one server, perhaps told of anew.
    pub(super) fn is_at_the_same_place(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.seen, &other.seen)
    }

    pub(super) fn enter(&self) {
        self.seen.requests.fetch_add(1, Ordering::Relaxed);
        self.seen.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.seen.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
