//! Calls that are made later: kept on disk, delivered to each service that exports the
//! interface, at least once.
//!
//! ```text
//!  an import that is a queue ─► Guard<Queue> ─► Log ─► Subscriber ─► Guard<Function>
//!  a route, the admin API    ─►                        (a task for each service)
//! ```
//!
//! A queue is an interface that a live service binds as one. [`publish`] keeps calls,
//! [`subscriber`] takes them, [`delivery`] makes each and writes down what became of it.
//! What is due, leased and ordered is the store's to know ([`stoa_store::Log`]); what a
//! failure means, and how long to wait after it, is known here.

mod delivery;
mod operate;
mod pace;
mod publish;
mod stored;
mod subscriber;
mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;

pub use delivery::LINK;
pub use operate::{NewCall, QueueError, QueueView};
pub use publish::{Publisher, Publishing};
pub use stored::StoredCall;
use subscriber::{Running, Subscriber};
pub use topics::{Topic, Topics};

use super::guards::Guards;
use super::registry::Registry;
use stoa_http::shutdown::Holds;
use stoa_settings as settings;
use stoa_store::{Log, Records, StoreError};
use stoa_telemetry::metrics::Metrics;

/// The kind of the records that say which queues an operator has paused.
const PAUSED: &str = "queue_paused";

/// What queues need of the host.
pub struct Parts {
    /// Where calls are kept.
    pub log: Arc<dyn Log>,
    /// Where it is kept what an operator has paused.
    pub records: Arc<dyn Records>,
    /// Where subscribers are found.
    pub registry: Arc<Registry>,
    /// What stands before them.
    pub guards: Arc<Guards>,
    /// Where deliveries are counted.
    pub metrics: Arc<Metrics>,
    /// What holds the host's end until deliveries have ended.
    pub holds: Holds,
}

/// All queues of the host.
pub struct Queues {
    parts: Parts,
    all: Mutex<BTreeMap<Arc<str>, Delivering>>,
    /// Those that an operator has paused, bound or not.
    paused: Mutex<BTreeSet<String>>,
}

/// One queue.
pub(super) struct Queue {
    name: Arc<str>,
    log: Arc<dyn Log>,
    settings: watch::Sender<Arc<settings::Queue>>,
    /// Whether an operator wants no deliveries.
    paused: watch::Sender<bool>,
}

/// A queue with those that it delivers to.
struct Delivering {
    queue: Arc<Queue>,
    to: BTreeMap<Arc<str>, (String, Running)>,
}

// === impl Queues ===

impl Queues {
    /// None that delivers yet.
    ///
    /// # Errors
    /// When it can't be read which of them are paused.
    pub async fn new(parts: Parts) -> Result<Arc<Self>, StoreError> {
        let paused = parts.records.list(PAUSED).await?;
        let queues = Arc::new(Self {
            parts,
            all: Mutex::default(),
            paused: Mutex::new(paused.into_iter().map(|(name, _)| name).collect()),
        });
        let reading: Weak<Self> = Arc::downgrade(&queues);
        queues.parts.metrics.register_queues(reading);
        Ok(queues)
    }

    /// Where calls are kept.
    pub fn log(&self) -> &Arc<dyn Log> {
        &self.parts.log
    }

    /// Has the store know the subscribers of these topics, before anybody publishes to
    /// them: what comes from then on is theirs.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn subscribe(&self, topics: &Topics) -> Result<(), StoreError> {
        for (name, topic) in topics.iter().filter(|(_, topic)| topic.is_bound) {
            let known = self.known_of(name);
            let fresh = topic.subscribers.keys().filter(|one| !known.contains(*one));
            for subscriber in fresh {
                self.parts.log.subscribe(name, subscriber).await?;
            }
        }
        Ok(())
    }

    /// Delivers by these topics from now on, and by no others.
    pub fn deliver(&self, topics: &Topics) {
        let mut all = self.all();
        all.retain(|name, _| topics.contains_key(name));
        for (name, topic) in topics {
            let delivering = all
                .entry(name.clone())
                .or_insert_with(|| Delivering::new(self.queue(name, topic)));
            delivering.queue.set(&topic.settings);
            self.deliver_to(delivering, topic);
        }
        drop(all);
        self.parts.metrics.forget_unused_queues();
    }

    /// Drops all that waits for a service that is no more.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn purge_service(&self, service: &str) -> Result<(), StoreError> {
        for queue in self.parts.log.queues().await? {
            self.parts.log.unsubscribe(&queue, service).await?;
        }
        Ok(())
    }

    fn deliver_to(&self, delivering: &mut Delivering, topic: &Topic) {
        let wanted = &topic.subscribers;
        delivering
            .to
            .retain(|service, (track, _)| wanted.get(service) == Some(track));
        for (service, track) in wanted {
            if delivering.to.contains_key(service) {
                continue;
            }
            let name = &delivering.queue.name;
            let subscriber = Arc::new(Subscriber {
                queue: delivering.queue.clone(),
                service: service.clone(),
                track: track.clone(),
                registry: self.parts.registry.clone(),
                guards: self.parts.guards.clone(),
                metrics: self.parts.metrics.queue(name, service),
                holds: self.parts.holds.clone(),
                rests: Mutex::default(),
                known: Mutex::default(),
            });
            let running = (track.clone(), subscriber.start());
            delivering.to.insert(service.clone(), running);
        }
    }

    fn queue(&self, name: &Arc<str>, topic: &Topic) -> Arc<Queue> {
        let is_paused = self.is_paused(name);
        Arc::new(Queue {
            name: name.clone(),
            log: self.parts.log.clone(),
            settings: watch::Sender::new(topic.settings.clone()),
            paused: watch::Sender::new(is_paused),
        })
    }

    /// Subscribers of a queue that get deliveries now.
    fn known_of(&self, name: &str) -> Vec<Arc<str>> {
        let all = self.all();
        let of = all.get(name).into_iter();
        of.flat_map(|one| one.to.keys().cloned()).collect()
    }

    fn is_paused(&self, name: &str) -> bool {
        let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.contains(name)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Delivering>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Queue ===

impl Queue {
    fn settings(&self) -> Arc<settings::Queue> {
        self.settings.borrow().clone()
    }

    fn set(&self, settings: &Arc<settings::Queue>) {
        self.settings.send_if_modified(|known| {
            let is_other = known != settings;
            known.clone_from(settings);
            is_other
        });
    }
}

// === impl Delivering ===

impl Delivering {
    fn new(queue: Arc<Queue>) -> Self {
        Self {
            queue,
            to: BTreeMap::new(),
        }
    }
}
