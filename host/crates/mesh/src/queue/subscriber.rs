//! A service that gets the calls of a queue: one task that takes what is due, as many at a
//! time as it may, and a task for each delivery.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::delivery::{LEASE, LINK};
use super::pace::Pace;
use super::{Queue, StoredCall};
use crate::guard::Guard;
use crate::guards::Guards;
use crate::registry::Registry;
use crate::target::Function;
use stoa_call::CallContext;
use stoa_engine::FunctionIndex;
use stoa_engine::value::Val;
use stoa_http::shutdown::Holds;
use stoa_service::revision::Revision;
use stoa_store::StoreError;
use stoa_store::log::{Delivery, Subscription};
use stoa_telemetry::metrics::QueueMetrics;
use stoa_transcode::Arguments;

/// How long the task waits after the store has failed.
const STORE_FAILED: std::time::Duration = std::time::Duration::from_secs(1);

/// A service that gets the calls of a queue.
pub(super) struct Subscriber {
    pub(super) queue: Arc<Queue>,
    pub(super) service: Arc<str>,
    /// The version track of the interface that the service exports.
    pub(super) track: String,
    pub(super) registry: Arc<Registry>,
    pub(super) guards: Arc<Guards>,
    pub(super) metrics: Arc<QueueMetrics>,
    pub(super) holds: Holds,
    /// Until when nothing is taken: it could not be tried just now.
    pub(super) rests: Mutex<Option<Instant>>,
    /// How arguments are read, of functions of the revision that was called last.
    pub(super) known: Mutex<(u64, HashMap<FunctionIndex, Arc<Arguments>>)>,
}

/// Ends a subscriber's task when it is dropped; deliveries under way end first.
pub(super) struct Running {
    _goes_on: watch::Sender<()>,
}

/// What to do next.
enum Next {
    /// Something has changed, or a delivery is over.
    At(Option<Instant>),
}

impl Subscriber {
    /// Starts to deliver.
    pub(super) fn start(self: Arc<Self>) -> Running {
        let (goes_on, ends) = watch::channel(());
        tokio::spawn(self.run(ends));
        Running { _goes_on: goes_on }
    }

    /// Until the host ends, or nobody wants it any more. Deliveries under way end first.
    async fn run(self: Arc<Self>, mut ends: watch::Receiver<()>) {
        let Some(drain) = self.holds.hold() else {
            return;
        };
        let mut changes = self.queue.log.watch(&self.queue.name);
        let mut paused = self.queue.paused.subscribe();
        let mut under_way = JoinSet::new();
        let mut settings = self.queue.settings.subscribe();
        let mut pace = Pace::new(Instant::now());
        let mut rate = self.queue.settings().rate.clone();
        loop {
            changes.mark_unchanged();
            settings.mark_unchanged();
            let now = self.queue.settings().rate.clone();
            if now != rate {
                (pace, rate) = (Pace::new(Instant::now()), now);
            }
            let is_paused = *paused.borrow_and_update();
            let Next::At(wake) = match is_paused {
                true => Next::At(None),
                false => self.take(&mut under_way, &mut pace).await,
            };
            tokio::select! {
                // Whoever dropped the other end wants it to end.
                _ = ends.changed() => break,
                () = drain.begun() => break,
                _ = changes.changed() => {}
                _ = paused.changed() => {}
                _ = settings.changed() => {}
                Some(_) = under_way.join_next() => {}
                () = at(wake) => {}
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Takes what is due and delivers it; gives when more may be.
    async fn take(self: &Arc<Self>, under_way: &mut JoinSet<()>, pace: &mut Pace) -> Next {
        let settings = self.queue.settings();
        let free = (settings.concurrency as usize).saturating_sub(under_way.len());
        if free == 0 {
            return Next::At(None);
        }
        let (rate, now) = (settings.rate.as_ref(), Instant::now());
        if let Some(until) = self.rests_until(now) {
            return Next::At(Some(until));
        }
        let most = match pace.allows(rate, free, now) {
            Ok(most) => most,
            Err(next) => return Next::At(Some(next)),
        };
        match self.claim(most).await {
            Ok(deliveries) => {
                pace.began(rate, deliveries.len(), now);
                let is_full = deliveries.len() == most;
                for delivery in deliveries {
                    under_way.spawn(self.clone().deliver(delivery));
                }
                match is_full {
                    true => Next::At(rate.map(|_| now)),
                    false => Next::At(self.next_due().await),
                }
            }
            Err(error) => {
                let queue = &*self.queue.name;
                tracing::error!(queue, "taking calls from a queue failed: {error}");
                // Whatever changes meanwhile: the log changes with each try.
                tokio::time::sleep(STORE_FAILED).await;
                Next::At(Some(now))
            }
        }
    }

    /// Takes nothing for a while. Each call that was taken meanwhile would be refused, and
    /// written down again.
    pub(super) fn rest(&self, wait: std::time::Duration) {
        let mut rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        *rests = (*rests).max(Some(Instant::now() + wait));
    }

    fn rests_until(&self, now: Instant) -> Option<Instant> {
        let rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        rests.filter(|until| *until > now)
    }

    async fn claim(&self, most: usize) -> Result<Vec<Delivery>, StoreError> {
        let now = SystemTime::now();
        let log = &self.queue.log;
        log.claim(self.subscription(), most, now, now + LEASE).await
    }

    async fn next_due(&self) -> Option<Instant> {
        let due = self.queue.log.next_due(self.subscription()).await;
        let wait = due.ok()??.duration_since(SystemTime::now());
        Some(Instant::now() + wait.unwrap_or_default())
    }

    fn subscription(&self) -> Subscription<'_> {
        Subscription {
            queue: &self.queue.name,
            subscriber: &self.service,
        }
    }

    /// The revision that gets the next call.
    pub(super) fn revision(&self) -> Option<Arc<Revision>> {
        self.registry.read(|snapshot| {
            let service = snapshot.services.get(&*self.service)?;
            Some(service.pick().clone())
        })
    }

    /// How many results a function has.
    pub(super) fn slots(&self, revision: &Revision, index: FunctionIndex) -> usize {
        revision.code.function(index).ty.results().len()
    }

    /// The call that a delivery asks for.
    pub(super) fn prepare(
        &self,
        revision: &Arc<Revision>,
        delivery: &Delivery,
    ) -> Result<(Guard<Function>, Vec<Val>, CallContext), String> {
        let stored = StoredCall::read(&delivery.body)?;
        let index = revision.find(&self.track, &stored.function);
        let index = index.ok_or_else(|| {
            format!(
                "{} exports no function {} of {} any more",
                self.service, stored.function, self.queue.name
            )
        })?;
        let arguments = self.arguments(revision, index)?;
        let params = arguments.decode(stored.arguments.get().as_bytes());
        let params = params.map_err(|fault| format!("the stored arguments do not fit: {fault}"))?;
        let context = self.context(&stored, delivery.enqueued, revision);
        let guard = self.guards.function(revision, index, LINK);
        Ok((guard, params, context))
    }

    fn arguments(
        &self,
        revision: &Revision,
        index: FunctionIndex,
    ) -> Result<Arc<Arguments>, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != revision.number {
            *known = (revision.number, HashMap::new());
        }
        if let Some(arguments) = known.1.get(&index) {
            return Ok(arguments.clone());
        }
        let arguments = Arguments::compile(&revision.code.function(index).ty);
        let arguments = Arc::new(arguments.map_err(|faults| faults.join("; "))?);
        known.1.insert(index, arguments.clone());
        Ok(arguments)
    }
}

/// Ends then; never without a time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
