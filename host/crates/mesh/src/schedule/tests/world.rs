//! What stands around schedules: a clock, records, and a service that answers when the
//! test says so.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::*;
use stoa_api::RunOutcome;
use stoa_call::TraceContext;
use stoa_http::shutdown::Drainer;
use stoa_settings::FunctionName;
use stoa_store::{Change, Reply, ready};

/// The first of the days of these tests, in milliseconds since 1970. Slots of whole days
/// begin with it.
const EPOCH: u64 = 366 * 24 * 3600 * 1000 * 50;

/// So many seconds after the test began.
pub(super) fn second(number: u64) -> Slot {
    Slot(EPOCH + number * 1000)
}

pub(super) fn every(time: Duration) -> Schedule {
    Schedule {
        every: Some(time),
        ..Schedule::default()
    }
}

/// A host with one service, `order`, whose function `a:b/c.d` is called by the clock.
pub(super) struct World {
    pub(super) schedules: Arc<Schedules>,
    pub(super) name: ScheduleName,
    pub(super) records: Arc<Memory>,
    pub(super) drainer: Option<Drainer>,
    pub(super) metrics: Arc<Metrics>,
    schedule: Schedule,
    clock: Arc<TestClock>,
    calls: Arc<Calls>,
}

/// Records in memory.
#[derive(Default)]
pub(super) struct Memory {
    all: Mutex<BTreeMap<(String, String), Value>>,
    fails: AtomicBool,
}

struct TestClock {
    began: Instant,
    /// Seconds that it is ahead of the time that passes.
    ahead: Mutex<i64>,
    looks: AtomicU64,
}

/// Calls that were made, and what holds them.
struct Calls {
    made: Mutex<Vec<u64>>,
    held: watch::Sender<bool>,
}

struct Service {
    calls: Arc<Calls>,
    records: Arc<Memory>,
}

impl Call for Service {
    fn call<'a>(
        &'a self,
        name: &'a ScheduleName,
        _: &'a Schedule,
        _: TraceContext,
    ) -> BoxFuture<'a, Ended> {
        Box::pin(async move {
            let slot = self.records.under_way(name);
            self.calls.made.lock().unwrap().push(slot);
            let mut held = self.calls.held.subscribe();
            held.wait_for(|held| !held).await.unwrap();
            Ended {
                outcome: RunOutcome::Succeeded,
                error: None,
            }
        })
    }
}

// === impl World ===

impl World {
    /// It is second 0, and the schedule is deployed.
    pub(super) async fn begin(schedule: Schedule) -> Self {
        let clock = TestClock {
            began: Instant::now(),
            ahead: Mutex::default(),
            looks: AtomicU64::default(),
        };
        let world = Self::over(schedule, Arc::new(clock), Arc::default()).await;
        world.keep();
        world.deploy_own().await;
        world
    }

    async fn over(schedule: Schedule, clock: Arc<TestClock>, records: Arc<Memory>) -> Self {
        let calls = Arc::new(Calls {
            made: Mutex::default(),
            held: watch::Sender::new(false),
        });
        let service = Service {
            calls: calls.clone(),
            records: records.clone(),
        };
        let metrics = Arc::new(Metrics::new());
        let looked_at = clock.clone();
        let parts = Parts {
            caller: Box::new(service),
            records: records.clone(),
            metrics: metrics.clone(),
            clock: Box::new(move || looked_at.read()),
        };
        Self {
            schedules: Schedules::open(parts).await.unwrap(),
            name: ScheduleName::parse("order/a:b/c.d").unwrap(),
            records,
            drainer: Some(Drainer::new()),
            metrics,
            schedule,
            clock,
            calls,
        }
    }

    fn keep(&self) {
        let drain = self.drainer.as_ref().unwrap().drain();
        tokio::spawn(self.schedules.clone().keep_time(drain));
    }

    /// The host is killed, and another begins on its data after this time.
    pub(super) async fn restart(self, down: Duration) -> Self {
        self.records.fail(true);
        // Whatever goes on of it reaches nothing.
        let records = Arc::new(self.records.copied());
        let calls = self.calls();
        drop(self.drainer);
        tokio::time::sleep(down).await;
        let world = Self::over(self.schedule, self.clock, records).await;
        world.calls.made.lock().unwrap().extend(calls);
        world.deploy_own().await;
        world.keep();
        world
    }

    /// Deploys `order` as it is.
    pub(super) async fn deploy_own(&self) {
        let own = (self.name.function.to_string(), self.schedule.clone());
        self.deploy(&[own]).await;
    }

    /// Deploys `order` with these schedules.
    pub(super) async fn deploy(&self, schedules: &[(String, Schedule)]) {
        let table: BTreeMap<FunctionName, _> = schedules
            .iter()
            .map(|(name, schedule)| (name.clone().try_into().unwrap(), schedule.clone()))
            .collect();
        self.change(Wanted {
            services: [("order".to_owned(), Some(table))].into(),
            ..Wanted::default()
        })
        .await;
    }

    pub(super) async fn undeploy(&self) {
        self.change(Wanted {
            services: [("order".to_owned(), None)].into(),
            ..Wanted::default()
        })
        .await;
    }

    pub(super) async fn pause(&self, paused: bool) {
        self.change(Wanted {
            paused: [(self.name.clone(), paused)].into(),
            ..Wanted::default()
        })
        .await;
    }

    async fn change(&self, wanted: Wanted) {
        let mut changing = self.schedules.change(wanted).await;
        let records = std::mem::take(&mut changing.records);
        self.records.apply(records).await.unwrap();
        changing.publish();
    }

    /// Calls take until they are let go.
    pub(super) fn hold(&self) {
        self.calls.held.send_replace(true);
    }

    pub(super) fn let_go(&self) {
        self.calls.held.send_replace(false);
    }

    /// Time passes.
    pub(super) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Somebody sets the clock.
    pub(super) fn set_clock(&self, number: u64) {
        let passed = self.clock.began.elapsed().as_secs();
        *self.clock.ahead.lock().unwrap() = number.cast_signed() - passed.cast_signed();
    }

    /// How often anybody asked for the time.
    pub(super) fn looks(&self) -> u64 {
        self.clock.looks.load(Ordering::Relaxed)
    }

    /// The slots of all calls, in seconds since the test began; 0 is none.
    pub(super) fn calls(&self) -> Vec<u64> {
        self.calls.made.lock().unwrap().clone()
    }

    pub(super) fn shown(&self) -> Shown {
        self.schedules.show(&self.name).unwrap()
    }

    pub(super) async fn runs(&self) -> Vec<Run> {
        self.schedules.runs(&self.name).await.unwrap()
    }
}

// === impl TestClock ===

impl TestClock {
    fn read(&self) -> Slot {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap();
        let now = passed + *self.ahead.lock().unwrap() * 1000;
        Slot(EPOCH + now.cast_unsigned())
    }
}

// === impl Memory ===

impl Memory {
    /// Whether the disk fails from now on.
    pub(super) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    /// How many records there are.
    pub(super) fn count(&self) -> usize {
        self.all.lock().unwrap().len()
    }

    fn copied(&self) -> Self {
        Self {
            all: Mutex::new(self.all.lock().unwrap().clone()),
            fails: AtomicBool::default(),
        }
    }

    /// The slot of the run that is written down as under way: a call without one would
    /// be made again after a crash.
    fn under_way(&self, name: &ScheduleName) -> u64 {
        let all = self.all.lock().unwrap();
        let kept = &all[&("schedule".to_owned(), name.to_string())];
        let begun = &kept["under_way"];
        assert!(begun.is_object(), "a call that is not written down: {kept}");
        let slot = begun["slot"].as_u64();
        slot.map_or(0, |slot| (slot - EPOCH) / 1000)
    }
}

impl Records for Memory {
    fn get<'a>(&'a self, kind: &'a str, key: &'a str) -> Reply<'a, Option<Value>> {
        let key = (kind.to_owned(), key.to_owned());
        ready(Ok(self.all.lock().unwrap().get(&key).cloned()))
    }

    fn list<'a>(&'a self, kind: &'a str) -> Reply<'a, Vec<(String, Value)>> {
        let all = self.all.lock().unwrap();
        let found = all.iter().filter(|((of, _), _)| of == kind);
        let found = found.map(|((_, key), value)| (key.clone(), value.clone()));
        ready(Ok(found.collect()))
    }

    fn apply(&self, changes: Vec<Change>) -> Reply<'_, ()> {
        if self.fails.load(Ordering::Relaxed) {
            return ready(Err(StoreError::Closed));
        }
        let mut all = self.all.lock().unwrap();
        for Change { kind, key, value } in changes {
            match value {
                Some(value) => all.insert((kind, key), value),
                None => all.remove(&(kind, key)),
            };
        }
        ready(Ok(()))
    }
}
