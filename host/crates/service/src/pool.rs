//! The instances of one revision.
//!
//! A call takes a [`Lease`]: the instance that its worker used last; another idle one,
//! the one used last first; a new one while the pool has room; or its turn in a bounded
//! queue. Giving a lease back serves the queue first. Idle instances go when the windowed
//! peak of use says that they are not needed, never by a clock of their own.
//!
//! ```text
//!  acquire ── parked here? ──────────────────► lease ──► sound ──► waiter, else parked, else idle
//!     │                                          │
//!     ├── parked elsewhere? idle? ──────────────►│ └───► spoiled ─► dropped, a waiter may start one
//!     ├── room? ── instantiate ─────────────────►│
//!     └── queue (by priority, bounded, deadline) ┘
//! ```
//!
//! The first line is the common one, and touches no memory that other workers write to;
//! see [`parked`].
//!
//! Room is what the maximum leaves, and the limit of calls that are worked on at the
//! same time. Unless the settings name a number, that is as many guests as compute on
//! the cores that there are: more of them would only share those. A call that waits for
//! the host (for the store, another service, an answer from outside) does not count, so
//! that a service which waits much may fill its pool. The others wait in the queue, as
//! long as they can be served in their time; see [`queue`].

mod error;
mod lanes;
mod lease;
mod parked;
mod peak;
mod pressure;
mod queue;
mod slot;
mod state;
mod turn;

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::threads::{Away, Threads};
pub use error::PoolError;
pub use lease::{ExclusiveLease, Lease, SharedLease};
use parked::ParkedSlots;
use pressure::Pressure;
use queue::Queue;
use slot::{Handoff, Room, Slot};
use state::{State, Usage};
use stoa_call::CallContext;
use stoa_engine::{Code, Fault, Instance, InstanceSettings, Waits};
use stoa_settings::{Class, Concurrency, Settings};
use stoa_telemetry::metrics::{PoolMetrics, PoolReading, PoolSample};

/// What makes a [`Pool`], beside the settings of its revision.
pub struct Parts {
    /// What instances are made of.
    pub code: Arc<Code>,
    /// What each is given.
    pub instance: InstanceSettings,
    /// The number of the revision.
    pub revision: u64,
    /// Instances at least and at most.
    pub bounds: (u32, u32),
    /// Calls that an instance serves in its life; `None` is no end.
    pub reuse: Option<u64>,
    /// What calls run on.
    pub threads: Arc<Threads>,
    /// Where waits are recorded.
    pub metrics: Arc<PoolMetrics>,
}

/// The pool of one revision.
pub struct Pool {
    code: Arc<Code>,
    instance: InstanceSettings,
    service: Arc<str>,
    revision: u64,
    concurrency: u32,
    reuse: u64,
    queue: u32,
    queue_deadline: Duration,
    /// Whether calls that wait for the host count among those that are worked on.
    counts_waiting: bool,
    class: Class,
    threads: Arc<Threads>,
    parked: Arc<ParkedSlots>,
    state: Mutex<State>,
    settled: Notify,
    metrics: Arc<PoolMetrics>,
}

impl Pool {
    /// An empty pool. [`Pool::warm`] makes its minimum.
    pub fn new(parts: Parts, settings: &Settings) -> Arc<Self> {
        let target = match settings.class {
            Class::Interactive => settings.pool.queue_target,
            // Nobody waits for its answers: its queue may be as long as it gets.
            Class::Batch => Duration::MAX,
        };
        let Parts {
            code,
            instance,
            revision,
            bounds,
            reuse,
            threads,
            metrics,
        } = parts;
        let size = &settings.pool;
        let pressure = Pressure::new(target, size.queue_deadline);
        let concurrency = size.concurrency.max(1);
        let limit = match settings.limits.concurrency {
            // Calls that share an instance compute one after another.
            Concurrency::Adaptive if concurrency == 1 => computing(threads.count(settings.class)),
            Concurrency::Adaptive | Concurrency::Off => u32::MAX,
            Concurrency::AtMost(calls) => calls,
        };
        let parked: Arc<ParkedSlots> = Arc::default();
        let queue = Queue::new(size.queue, pressure);
        let state = State::new(bounds, limit, queue, parked.clone());
        Arc::new(Self {
            service: instance.service.clone(),
            revision,
            code,
            instance,
            concurrency,
            reuse: reuse.unwrap_or(u64::MAX),
            queue: size.queue,
            queue_deadline: size.queue_deadline,
            counts_waiting: settings.limits.concurrency != Concurrency::Adaptive,
            class: settings.class,
            threads,
            parked,
            state: Mutex::new(state),
            settled: Notify::new(),
            metrics,
        })
    }

    /// The threads that a call must move to before it asks for an instance; `None`
    /// if the current thread is one of them.
    pub fn elsewhere(&self) -> Option<&Handle> {
        self.threads.elsewhere(self.class)
    }

    /// An instance for one call, at the latest by its deadline.
    ///
    /// # Errors
    ///
    /// When the queue is full, the wait too long, the service overloaded, or no
    /// instance can be made.
    pub async fn acquire(self: &Arc<Self>, context: &CallContext) -> Result<Lease<'_>, PoolError> {
        if let Some(slot) = self.parked.take_own() {
            self.metrics.queue_wait.observe_zero();
            return Ok(Lease::new(self, slot));
        }
        // What began is to end: the limit must not have a call wait for those that have
        // not begun, nor for its own caller where services call each other in a circle.
        let room = self.lock().claim(context.is_nested());
        match room {
            Some(Room::Idle(slot)) => {
                self.metrics.queue_wait.observe_zero();
                Ok(Lease::new(self, slot))
            }
            // Boxed: the common ways out are those above, and its future should be small.
            Some(new) => Box::pin(self.start(Handoff::new(self, new), context)).await,
            None => Box::pin(self.wait(context)).await,
        }
    }

    /// Makes instances until the minimum is there, on the threads that serve them.
    ///
    /// # Errors
    ///
    /// The first instance that can't be made.
    pub async fn warm(self: &Arc<Self>) -> Result<(), Fault> {
        let pool = Arc::clone(self);
        self.there(async move { pool.make_minimum().await }).await
    }

    /// Makes an instance and drops it, if there is none: a component that can't
    /// start is found out before it gets traffic.
    ///
    /// # Errors
    ///
    /// When the instance can't be made.
    pub async fn prove(self: &Arc<Self>) -> Result<(), Fault> {
        if self.lock().live() > 0 {
            return Ok(());
        }
        let pool = Arc::clone(self);
        let made = async move {
            let made = Instance::new(&pool.code, &pool.instance, None).await;
            made.map(drop)
        };
        self.there(made).await
    }

    /// Changes the size. Idle instances beyond the minimum go at once, busy ones
    /// above the maximum as their calls end.
    pub fn scale(self: &Arc<Self>, min: u32, max: u32) {
        let surplus = self.lock().scale(min, max);
        drop(surplus);
        self.settle();
    }

    /// Drops the idle instances that the peak of the last windows did not need.
    pub fn shrink(&self) {
        let surplus = self.lock().shrink();
        drop(surplus);
    }

    /// Keeps no instance from now on. Calls are still served: some may be on their way.
    pub fn drain(&self) {
        let idle = self.lock().drain();
        drop(idle);
    }

    /// Undoes [`Pool::drain`].
    pub fn resume(&self) {
        self.lock().undrain();
        self.settled.notify_waiters();
    }

    /// Waits until a drain is over: no call is under way, or the pool serves again.
    pub async fn settled(&self) {
        loop {
            let settled = self.settled.notified();
            if self.lock().is_settled() {
                return;
            }
            settled.await;
        }
    }

    /// Calls that asked for an instance.
    pub fn calls(&self) -> u64 {
        self.parked.calls()
    }

    /// The size that is set now: minimum, maximum.
    pub fn bounds(&self) -> (u32, u32) {
        let state = self.lock();
        (state.min(), state.max())
    }

    async fn there(
        &self,
        work: impl Future<Output = Result<(), Fault>> + Send + 'static,
    ) -> Result<(), Fault> {
        match self.elsewhere() {
            Some(there) => Away::start(there, work)
                .await
                .unwrap_or(Err(Fault::InstanceLost)),
            None => work.await,
        }
    }

    async fn make_minimum(self: &Arc<Self>) -> Result<(), Fault> {
        loop {
            let permit = self.lock().claim_missing();
            let Some(permit) = permit else { return Ok(()) };
            let handoff = Handoff::new(self, Room::New(permit));
            let slot = self.instantiate(handoff).await?;
            // No worker has used it: it is everybody's.
            self.put_back(Some(slot));
        }
    }

    /// Uses what was handed over: an instance, or the right to make one.
    ///
    /// The call waits for nobody from here on, and counts as under way: it has begun, so
    /// that a client that leaves while its instance is made finds it as it says.
    async fn start(
        self: &Arc<Self>,
        handoff: Handoff,
        context: &CallContext,
    ) -> Result<Lease<'_>, PoolError> {
        if let Some(tie) = &context.tie {
            tie.begin();
        }
        let slot = self.instantiate(handoff).await?;
        Ok(Lease::new(self, slot))
    }

    async fn instantiate(self: &Arc<Self>, mut handoff: Handoff) -> Result<Slot, Fault> {
        if let Some(slot) = handoff.open() {
            return Ok(slot);
        }
        let began = Instant::now();
        let instance = Instance::new(&self.code, &self.instance, self.waits()).await?;
        self.metrics.instantiate.observe(began.elapsed());
        let slot = if self.concurrency == 1 {
            handoff.fill(instance)
        } else {
            let mut slots =
                handoff.fill_shared(instance, self.code.functions().len(), self.concurrency)?;
            let slot = slots.pop();
            self.lock().offer(slots);
            self.settle();
            slot
        };
        Ok(slot.expect("a handoff without an instance holds a permit"))
    }

    /// Who is told when an instance waits for the host.
    fn waits(self: &Arc<Self>) -> Option<Weak<dyn Waits>> {
        let pool: Weak<Self> = Arc::downgrade(self);
        (!self.counts_waiting).then_some(pool)
    }

    /// Takes an instance back, or the slot of one that is gone. The worker parks it, if it
    /// can.
    fn give_back(self: &Arc<Self>, slot: Option<Slot>) {
        let usable = slot.filter(|slot| slot.is_usable(self.reuse));
        match usable.map(|slot| self.parked.park(slot)) {
            Some(Ok(())) => {}
            Some(Err(slot)) => self.put_back(Some(slot)),
            None => self.put_back(None),
        }
    }

    /// The same, for whoever needs it.
    fn put_back(self: &Arc<Self>, slot: Option<Slot>) {
        let given = self.lock().give_back(slot);
        // Its memory is unmapped here, outside the lock; its permit is free then.
        drop(given.surplus);
        if given.awaited {
            self.settle();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not take the service with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Guests that compute at the same time on so many threads: while one hands over, the
/// next one computes.
fn computing(threads: usize) -> u32 {
    let calls = threads + threads.div_ceil(4);
    u32::try_from(calls).unwrap_or(u32::MAX)
}

impl PoolReading for Pool {
    fn service(&self) -> &str {
        &self.service
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn read(&self) -> PoolSample {
        let state = self.lock();
        let Usage { busy, idle } = state.usage();
        let (busy, draining) = match state.is_draining() {
            true => (0, busy),
            false => (busy, 0),
        };
        let limit = state.max().saturating_mul(self.concurrency);
        PoolSample {
            // An instance that is being made serves a call that waits for it.
            starting: 0,
            idle: u64::from(idle),
            busy: u64::from(busy),
            draining: u64::from(draining),
            queued: u64::from(state.queued()),
            limit: u64::from(state.limit().min(limit)),
            memory_bytes: self.instance.memory_in_use.load(Ordering::Relaxed) as u64,
        }
    }
}

#[cfg(test)]
mod tests;
