//! What operators see of queues, and do to them.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;

use super::{PAUSED, Publishing, Queues};
use crate::fault::{CallError, QueueFault};
use crate::gate::Gate;
use crate::guard::Guard;
use crate::target;
use stoa_call::CallContext;
use stoa_store::StoreError;
use stoa_store::log::{
    Appended, Peek, Peeked, Purge, QueueStats, Redrive, SubscriberStats, Subscription,
};
use stoa_telemetry::metrics::{QueueReading, QueueSample};

/// A call that comes from outside.
#[derive(Debug)]
pub struct NewCall<'a> {
    /// The function's name.
    pub function: &'a str,
    /// A JSON object by the names of the parameters.
    pub arguments: &'a [u8],
    /// What names the call: a second one with it is the first.
    pub dedupe: Option<String>,
    /// How long it is kept before it is delivered; `None` is as the queue says.
    pub delay: Option<Duration>,
}

/// A queue as operators see it.
#[derive(Debug, Clone)]
pub struct QueueView {
    /// Its name.
    pub name: String,
    /// Whether an operator wants no deliveries.
    pub paused: bool,
    /// Whether a live service binds it.
    pub bound: bool,
    /// What it holds.
    pub stats: QueueStats,
}

/// Why a queue could not be worked on.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// There is none of this name.
    #[error("there is no queue {name:?}: expected one of {}", if known.is_empty() { "none, for no service binds any".to_owned() } else { known.join(", ") })]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// It holds as much as it may, or did not answer.
    #[error("{0}")]
    NotKept(String),
    /// What is asked of it makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Queues {
    /// All queues: those that are bound, and those that hold something.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn list(&self) -> Result<Vec<QueueView>, QueueError> {
        let mut names = self.parts.log.queues().await?;
        names.extend(self.all().keys().map(|name| name.to_string()));
        names.sort();
        names.dedup();
        let mut views = Vec::new();
        for name in names {
            views.push(self.view(name).await?);
        }
        Ok(views)
    }

    /// One queue.
    ///
    /// # Errors
    /// When there is none of this name, or the disk fails.
    pub async fn show(&self, name: &str) -> Result<QueueView, QueueError> {
        self.check(name).await?;
        self.view(name.to_owned()).await
    }

    /// What a queue holds.
    ///
    /// # Errors
    /// When there is none of this name, or the disk fails.
    pub async fn peek(&self, name: &str, peek: Peek<'_>) -> Result<Vec<Peeked>, QueueError> {
        self.check(name).await?;
        Ok(self.parts.log.peek(name, peek, SystemTime::now()).await?)
    }

    /// Has calls delivered again that were given up, `most` at most of each subscriber, or
    /// of one; gives how many.
    ///
    /// # Errors
    /// When there is none of this name, or the disk fails.
    pub async fn redrive(
        &self,
        name: &str,
        subscriber: Option<&str>,
        which: &Redrive,
        most: usize,
    ) -> Result<u64, QueueError> {
        let mut redriven = 0;
        for one in self.subscribers(name, subscriber).await? {
            let from = Subscription {
                queue: name,
                subscriber: &one,
            };
            let log = &self.parts.log;
            redriven += log.redrive(from, which.clone(), most).await?;
        }
        Ok(redriven)
    }

    /// Drops calls of each subscriber, or of one; gives how many. Of all that is kept for a
    /// service that gets none any more, nothing is kept from then on.
    ///
    /// # Errors
    /// When there is none of this name, or the disk fails.
    pub async fn purge(
        &self,
        name: &str,
        subscriber: Option<&str>,
        what: Purge,
    ) -> Result<u64, QueueError> {
        let subscribers = self.subscribers(name, subscriber).await?;
        let purged = self.parts.log.purge(name, subscriber, what).await?;
        let known = self.known_of(name);
        let is_gone = |one: &String| !known.iter().any(|known| **known == **one);
        // Who gets nothing of it any more has nothing kept for it either.
        for gone in subscribers
            .iter()
            .filter(|one| what == Purge::All && is_gone(one))
        {
            self.parts.log.unsubscribe(name, gone).await?;
        }
        Ok(purged)
    }

    /// Has a queue deliver nothing, or deliver again; kept across restarts.
    ///
    /// # Errors
    /// When there is none of this name, or the disk fails.
    pub async fn pause(&self, name: &str, paused: bool) -> Result<(), QueueError> {
        self.check(name).await?;
        let records = &self.parts.records;
        match paused {
            true => records.put(PAUSED, name, true.into()).await?,
            false => records.remove(PAUSED, name).await?,
        }
        let mut all_paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        match paused {
            true => all_paused.insert(name.to_owned()),
            false => all_paused.remove(name),
        };
        drop(all_paused);
        if let Some(delivering) = self.all().get(name) {
            delivering.queue.paused.send_replace(paused);
        }
        Ok(())
    }

    /// Keeps a call that comes from outside. It is delivered as one that a service makes.
    ///
    /// # Errors
    /// When there is no such queue or nobody to get it, its arguments do not fit, the queue
    /// is full, or the disk fails.
    pub async fn enqueue(
        &self,
        name: &str,
        call: NewCall<'_>,
        context: &CallContext,
    ) -> Result<Appended, QueueError> {
        self.check(name).await?;
        let (queue, function) = self.to_enqueue(name, &call)?;
        let params = function.arguments.decode(call.arguments);
        let params = params.map_err(|fault| QueueError::Invalid(fault.to_string()))?;
        let delay = call.delay.unwrap_or(queue.settings.delay);
        let kept = function.call(context, &params, delay);
        let mut kept = kept.map_err(QueueError::Invalid)?;
        kept.dedupe = call.dedupe.or(kept.dedupe);
        let guard = Guard::new(Arc::new(Gate::free()), queue);
        guard
            .keep(context, kept)
            .await
            .map_err(|error| match error {
                CallError::Queue(kept) => match kept.fault {
                    QueueFault::TooLarge(told) => QueueError::Invalid(told),
                    other => QueueError::NotKept(other.to_string()),
                },
                other => QueueError::NotKept(other.to_string()),
            })
    }

    /// The queue, and the function as a subscriber has it.
    fn to_enqueue(
        &self,
        name: &str,
        call: &NewCall<'_>,
    ) -> Result<(target::Queue, Publishing), QueueError> {
        let all = self.all();
        let subscriber = all.get(name).and_then(|one| {
            let (service, (track, _)) = one.to.iter().next()?;
            Some((&one.queue, service.clone(), track.clone()))
        });
        let Some((queue, service, track)) = subscriber else {
            return Err(QueueError::Invalid(format!(
                "nobody gets the calls of {name}: expected a live service that exports the interface"
            )));
        };
        let revision = self.parts.registry.read(|snapshot| {
            let service = snapshot.services.get(&service)?;
            Some(service.primary().clone())
        });
        let index = revision
            .as_ref()
            .and_then(|revision| revision.find(&track, call.function));
        let (Some(revision), Some(index)) = (revision, index) else {
            let fault = format!("expected a function of {name}, found {:?}", call.function);
            return Err(QueueError::Invalid(fault));
        };
        let settings = queue.settings();
        let ty = &revision.code.function(index).ty;
        let function = Publishing::compile(call.function, ty, &settings);
        let function = function.map_err(|faults| QueueError::Invalid(faults.join("; ")))?;
        let queue = target::Queue {
            service: queue.name.clone(),
            revision: 0,
            name: queue.name.clone(),
            settings,
            log: queue.log.clone(),
        };
        Ok((queue, function))
    }

    /// The subscribers of a queue, or the one that is asked for.
    async fn subscribers(
        &self,
        name: &str,
        wanted: Option<&str>,
    ) -> Result<Vec<String>, QueueError> {
        self.check(name).await?;
        let known = self.parts.log.subscribers(name).await?;
        match wanted {
            None => Ok(known),
            Some(wanted) if known.iter().any(|one| one == wanted) => Ok(vec![wanted.to_owned()]),
            Some(wanted) => Err(QueueError::Invalid(format!(
                "expected a subscriber of {name} ({}), found {wanted:?}",
                known.join(", ")
            ))),
        }
    }

    async fn view(&self, name: String) -> Result<QueueView, QueueError> {
        let stats = self.parts.log.stats(&name, SystemTime::now()).await?;
        Ok(QueueView {
            paused: self.is_paused(&name),
            bound: self.all().contains_key(&*name),
            name,
            stats,
        })
    }

    async fn check(&self, name: &str) -> Result<(), QueueError> {
        let mut known = self.parts.log.queues().await?;
        known.extend(self.all().keys().map(|name| name.to_string()));
        if known.iter().any(|one| one == name) {
            return Ok(());
        }
        known.sort();
        known.dedup();
        let name = name.to_owned();
        Err(QueueError::Unknown { name, known })
    }
}

impl QueueReading for Queues {
    fn read(&self) -> Vec<QueueSample> {
        let now = SystemTime::now();
        // A scrape does not wait: a log that answers later is not shown.
        let names = self.parts.log.queues().now_or_never();
        let names = names.and_then(Result::ok).unwrap_or_default();
        let stats = |name: String| {
            let stats = self.parts.log.stats(&name, now).now_or_never()?.ok()?;
            Some((name, stats))
        };
        let all = names.into_iter().filter_map(stats);
        all.flat_map(|(name, stats)| {
            let subscribers = stats.subscribers.into_iter();
            subscribers.map(move |one| sample(name.clone(), one, now))
        })
        .collect()
    }
}

fn sample(queue: String, of: SubscriberStats, now: SystemTime) -> QueueSample {
    let age = of.oldest.and_then(|oldest| now.duration_since(oldest).ok());
    QueueSample {
        queue,
        subscriber: of.name,
        depth: of.waiting + of.in_flight + of.delayed + of.retrying,
        in_flight: of.in_flight,
        dead: of.dead,
        age: age.unwrap_or_default().as_secs_f64(),
    }
}
