//! The instances of one revision.
//!
//! A call takes a [`Lease`]: an idle instance, the one used last first; a new one
//! while the pool has room; or its turn in a bounded queue. Giving a lease back
//! serves the queue first. Idle instances go when the windowed peak of use says
//! that they are not needed, never by a clock of their own.
//!
//! ```text
//!  acquire ── idle? ──────────────► lease ──► sound ──► waiter, else idle
//!     │                               │
//!     ├── room? ── instantiate ──────►│ └───► spoiled ─► dropped, a waiter may start one
//!     └── queue (bounded, deadline) ──┘
//! ```

mod lease;
mod peak;
mod slot;
mod state;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::engine::{Code, Fault, Instance, InstanceSettings};
use crate::service::settings;
use crate::telemetry::metrics::{PoolMetrics, PoolReading, PoolSample};
pub use lease::{ExclusiveLease, Lease, SharedLease};
use slot::{Handoff, Seats, Slot};
use state::{Claim, State};

/// Why a pool gave no instance.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The queue has no place left.
    #[error("all {max} instances of the service are busy and its queue of {queue} is full")]
    QueueFull {
        /// Instances at most.
        max: u32,
        /// Calls that may wait.
        queue: u32,
    },
    /// No instance became free in time.
    #[error("no instance of the service became free within {waited:?}")]
    QueueDeadline {
        /// How long the call has waited.
        waited: Duration,
    },
    /// A new instance could not be made.
    #[error(transparent)]
    Start(#[from] Fault),
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
    seats: Arc<Seats>,
    state: Mutex<State>,
    settled: Notify,
    calls: AtomicU64,
    metrics: Arc<PoolMetrics>,
}

impl Pool {
    /// An empty pool. [`Pool::warm`] makes its minimum.
    pub fn new(
        code: Arc<Code>,
        instance: InstanceSettings,
        revision: u64,
        settings: &settings::Pool,
        metrics: Arc<PoolMetrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            service: instance.service.clone(),
            revision,
            code,
            instance,
            concurrency: settings.concurrency.max(1),
            reuse: settings.reuse.unwrap_or(u64::MAX),
            queue: settings.queue,
            queue_deadline: settings.queue_deadline,
            seats: Arc::default(),
            state: Mutex::new(State::new(settings.min, settings.max)),
            settled: Notify::new(),
            calls: AtomicU64::new(0),
            metrics,
        })
    }

    /// An instance for one call, at the latest by `deadline`.
    ///
    /// # Errors
    ///
    /// When the queue is full, the wait too long, or no instance can be made.
    pub async fn acquire(self: &Arc<Self>, deadline: Instant) -> Result<Lease, PoolError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let claim = self.lock().claim(&self.seats, self.queue);
        match claim {
            Claim::Idle(slot) => {
                self.metrics.queue_wait.observe(Duration::ZERO);
                Ok(Lease::new(self, slot))
            }
            // Boxed: the common way out is the one above, and its future should be small.
            Claim::Start(seat) => Box::pin(self.start(Handoff::start(self, seat))).await,
            Claim::Wait(turn) => Box::pin(self.wait(turn, deadline)).await,
            Claim::Full => Err(PoolError::QueueFull {
                max: self.lock().max(),
                queue: self.queue,
            }),
        }
    }

    /// Makes instances until the minimum is there.
    ///
    /// # Errors
    ///
    /// The first instance that can't be made.
    pub async fn warm(self: &Arc<Self>) -> Result<(), Fault> {
        loop {
            let seat = self.lock().claim_missing(&self.seats);
            let Some(seat) = seat else { return Ok(()) };
            let slot = self.instantiate(Handoff::start(self, seat)).await?;
            // A lease that is given back unused is an idle instance.
            Lease::new(self, slot).keep();
        }
    }

    /// Makes an instance and drops it, if there is none: a component that can't
    /// start is found out before it gets traffic.
    ///
    /// # Errors
    ///
    /// When the instance can't be made.
    pub async fn prove(&self) -> Result<(), Fault> {
        if self.seats.live() == 0 {
            Instance::new(&self.code, &self.instance).await?;
        }
        Ok(())
    }

    /// Changes the size. Idle instances beyond the minimum go at once, busy ones
    /// above the maximum as their calls end.
    pub fn scale(self: &Arc<Self>, min: u32, max: u32) {
        let surplus = self.lock().scale(min, max, self.seats.live());
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
        self.lock().resume();
    }

    /// Waits until no call is under way.
    pub async fn settled(&self) {
        loop {
            let settled = self.settled.notified();
            if self.lock().busy() == 0 {
                return;
            }
            settled.await;
        }
    }

    /// Calls that asked for an instance.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The size that is set now: minimum, maximum.
    pub fn bounds(&self) -> (u32, u32) {
        let state = self.lock();
        (state.min(), state.max())
    }

    async fn wait(
        self: &Arc<Self>,
        turn: oneshot::Receiver<Handoff>,
        deadline: Instant,
    ) -> Result<Lease, PoolError> {
        let began = Instant::now();
        let until = deadline.min(began + self.queue_deadline);
        let turn = tokio::time::timeout_at(until.into(), turn).await;
        let waited = began.elapsed();
        self.metrics.queue_wait.observe(waited);
        match turn {
            Ok(Ok(handoff)) => self.start(handoff).await,
            _ => Err(PoolError::QueueDeadline { waited }),
        }
    }

    /// Uses what was handed over: an instance, or the right to make one.
    async fn start(self: &Arc<Self>, handoff: Handoff) -> Result<Lease, PoolError> {
        let slot = self.instantiate(handoff).await?;
        Ok(Lease::new(self, slot))
    }

    async fn instantiate(self: &Arc<Self>, mut handoff: Handoff) -> Result<Slot, Fault> {
        if let Some(slot) = handoff.open() {
            return Ok(slot);
        }
        let began = Instant::now();
        let instance = Instance::new(&self.code, &self.instance).await?;
        self.metrics.instantiate.observe(began.elapsed());
        let slot = if self.concurrency == 1 {
            handoff.seat_exclusive(instance)
        } else {
            let mut slots =
                handoff.seat_shared(instance, self.code.functions().len(), self.concurrency)?;
            let slot = slots.pop();
            self.lock().offer(slots);
            self.settle();
            slot
        };
        Ok(slot.expect("a handoff without an instance holds a seat"))
    }

    /// Takes an instance back, or the place of one that is gone.
    fn give_back(self: &Arc<Self>, slot: Option<Slot>) {
        let usable = slot.filter(|slot| slot.is_usable(self.reuse));
        let given = self.lock().give_back(usable, self.seats.live());
        // Its memory is unmapped here, outside the lock; its seat is free then.
        drop(given.surplus);
        if given.awaited {
            self.settle();
        }
    }

    /// Serves waiters as far as there are instances or room for them.
    fn settle(self: &Arc<Self>) {
        let mut state = self.lock();
        state.serve_queue(self, &self.seats);
        if state.busy() == 0 {
            self.settled.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not take the service with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let busy = u64::from(state.busy());
        let (busy, draining) = if state.is_draining() {
            (0, busy)
        } else {
            (busy, 0)
        };
        PoolSample {
            // An instance that is being made serves a call that waits for it.
            starting: 0,
            idle: u64::from(state.idle()),
            busy,
            draining,
            queued: u64::from(state.queued()),
            memory_bytes: self.instance.memory_in_use.load(Ordering::Relaxed) as u64,
        }
    }
}
