//! Makes many writes durable with one flush.
//!
//! A flush costs the same for one write as for fifty. So nobody flushes but one
//! thread: a writer first writes, then takes a ticket, and waits. The thread
//! takes all tickets there are, flushes, and completes them; who comes meanwhile
//! is in the next round. Since a ticket is taken after its write, every write is
//! covered by the flush that completes its ticket.
//!
//! Knows nothing of what is flushed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::{Flushed, Moment, StoreError, Watch};

type Outcome = Result<(), StoreError>;

/// The thread that flushes, and the queue in front of it.
pub(super) struct Committer {
    shared: Arc<Shared>,
    watch: Option<Watch>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Completes when every write made before it was taken is on disk.
#[must_use = "a write is durable only when its ticket is"]
pub(super) struct Ticket(oneshot::Receiver<Outcome>);

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    flushed: OnceLock<Flushed>,
}

struct Queue {
    waiting: Vec<oneshot::Sender<Outcome>>,
    /// Files to remove once what replaced them is on disk.
    replaced: Vec<PathBuf>,
    state: State,
}

enum State {
    Open,
    Closing,
    Ended(StoreError),
}

// === impl Committer ===

impl Committer {
    /// Starts the thread. `flush` puts all writes made before its call on disk.
    pub(super) fn start(
        flush: impl FnMut() -> Outcome + Send + 'static,
        watch: Option<Watch>,
    ) -> Result<Self, StoreError> {
        let queue = Queue {
            waiting: Vec::new(),
            replaced: Vec::new(),
            state: State::Open,
        };
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            wake: Condvar::new(),
            flushed: OnceLock::new(),
        });
        let thread = std::thread::Builder::new()
            .name("stoa-commit".to_owned())
            .spawn({
                let (shared, watch) = (Arc::clone(&shared), watch.clone());
                move || run(&shared, flush, watch)
            })
            .map_err(|fault| StoreError::io("starting the committer thread", &fault))?;
        Ok(Self {
            shared,
            watch,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Has the time of each flush told from now on, to who asks first.
    pub(super) fn tell_flushes(&self, flushed: Flushed) {
        // A second one would have asked for nothing.
        let _ = self.shared.flushed.set(flushed);
    }

    /// Take it after the write. `replaced` are files that the write leaves
    /// without a use.
    pub(super) fn ticket(&self, replaced: impl IntoIterator<Item = PathBuf>) -> Ticket {
        tell(self.watch.as_ref(), Moment::Made);
        let (done, ticket) = oneshot::channel();
        let mut queue = self.shared.queue();
        match &queue.state {
            State::Open => {
                queue.waiting.push(done);
                queue.replaced.extend(replaced);
                let first = queue.waiting.len() == 1;
                drop(queue);
                if first {
                    self.shared.wake.notify_one();
                }
            }
            State::Closing => drop(done.send(Err(StoreError::Closed))),
            State::Ended(reason) => drop(done.send(Err(reason.clone()))),
        }
        Ticket(ticket)
    }

    /// Ask before a write: what can't become durable should not be visible.
    pub(super) fn check(&self) -> Outcome {
        match &self.shared.queue().state {
            State::Open => Ok(()),
            State::Closing => Err(StoreError::Closed),
            State::Ended(reason) => Err(reason.clone()),
        }
    }

    /// Flushes what is waiting and ends the thread. Later tickets fail.
    pub(super) fn close(&self) {
        if let state @ State::Open = &mut self.shared.queue().state {
            *state = State::Closing;
        }
        self.shared.wake.notify_one();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the committer thread ended by a panic");
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.close();
    }
}

// === impl Ticket ===

impl Future for Ticket {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|answer| answer.unwrap_or(Err(StoreError::Closed)))
    }
}

// === impl Shared ===

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Each change under the lock is complete in itself: a panic elsewhere
        // can't leave the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for tickets and takes them all; `None` when the queue is closed.
    fn next_round(
        &self,
        waiting: &mut Vec<oneshot::Sender<Outcome>>,
        replaced: &mut Vec<PathBuf>,
    ) -> Option<()> {
        let closed = |queue: &Queue| !matches!(queue.state, State::Open);
        let mut queue = self
            .wake
            .wait_while(self.queue(), |queue| {
                queue.waiting.is_empty() && !closed(queue)
            })
            .unwrap_or_else(PoisonError::into_inner);
        if queue.waiting.is_empty() {
            return None;
        }
        std::mem::swap(waiting, &mut queue.waiting);
        std::mem::swap(replaced, &mut queue.replaced);
        Some(())
    }

    /// Refuses everything from now on, and fails those who wait already.
    fn end(&self, reason: &StoreError) {
        let waiting = {
            let mut queue = self.queue();
            queue.state = State::Ended(reason.clone());
            std::mem::take(&mut queue.waiting)
        };
        for done in waiting {
            drop(done.send(Err(reason.clone())));
        }
    }
}

fn run(shared: &Shared, mut flush: impl FnMut() -> Outcome, watch: Option<Watch>) {
    let (mut waiting, mut replaced) = (Vec::new(), Vec::new());
    while shared.next_round(&mut waiting, &mut replaced).is_some() {
        let began = Instant::now();
        let outcome = guarded(&mut flush);
        if let Some(flushed) = shared.flushed.get() {
            flushed(began.elapsed());
        }
        // Who waits gets the failure itself, who comes later that it happened.
        if let Err(fault) = &outcome {
            tracing::error!(%fault, "a flush failed: the store takes no more writes");
            shared.end(&StoreError::Stopped(fault.to_string().into()));
        } else {
            tell(watch.as_ref(), Moment::Durable);
        }
        // A writer that gave up waiting is not an error.
        waiting
            .drain(..)
            .for_each(|done| drop(done.send(outcome.clone())));
        if outcome.is_err() {
            return;
        }
        replaced.drain(..).for_each(super::large::remove);
    }
    match guarded(&mut flush) {
        Ok(()) => shared.end(&StoreError::Closed),
        Err(fault) => {
            tracing::error!(%fault, "the last flush failed");
            shared.end(&StoreError::Stopped(fault.to_string().into()));
        }
    }
}

fn tell(watch: Option<&Watch>, moment: Moment) {
    if let Some(watch) = watch {
        watch(moment);
    }
}

fn guarded(flush: &mut impl FnMut() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(flush)).unwrap_or_else(|_| {
        Err(StoreError::Io(
            "the storage engine panicked while flushing".into(),
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::sync::mpsc;

    use super::*;

    fn started(flush: impl FnMut() -> Outcome + Send + 'static) -> Result<Committer, StoreError> {
        Committer::start(flush, None)
    }

    #[tokio::test]
    async fn a_watch_is_there_before_who_waits_is_told() {
        let (told, moments) = mpsc::channel();
        let watch: Watch = Arc::new(move |moment| told.send(moment).unwrap());
        let committer = Committer::start(|| Ok(()), Some(watch)).unwrap();
        committer.ticket(None).await.unwrap();
        let seen: Vec<_> = moments.try_iter().collect();
        assert_eq!(seen, [Moment::Made, Moment::Durable]);
    }

    #[tokio::test]
    async fn flushes_are_told_once_each() {
        let committer = started(|| Ok(())).unwrap();
        let (told, flushes) = mpsc::channel();
        committer.tell_flushes(Box::new(move |took| told.send(took).unwrap()));
        for _ in 0..3 {
            committer.ticket(None).await.unwrap();
        }
        assert_eq!(flushes.try_iter().count(), 3);
    }

    #[tokio::test]
    async fn one_flush_covers_every_ticket_taken_before_it() {
        let (begun, begins) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let flushes = Arc::new(AtomicU64::new(0));
        let committer = started({
            let flushes = Arc::clone(&flushes);
            move || {
                begun.send(()).ok();
                gate.recv().ok();
                flushes.fetch_add(1, SeqCst);
                Ok(())
            }
        })
        .unwrap();

        let first = committer.ticket(None);
        begins.recv().unwrap();
        let late: Vec<_> = (0..50).map(|_| committer.ticket(None)).collect();
        go.send(()).unwrap();
        first.await.unwrap();
        assert_eq!(
            flushes.load(SeqCst),
            1,
            "the first ticket needs the first flush alone"
        );
        go.send(()).unwrap();
        for ticket in late {
            ticket.await.unwrap();
        }
        assert_eq!(
            flushes.load(SeqCst),
            2,
            "fifty tickets share the second flush"
        );
        drop(go);
    }

    #[tokio::test]
    async fn a_failed_flush_fails_its_tickets_and_all_later_ones() {
        let committer = started(|| Err(StoreError::NoSpace("test".into()))).unwrap();
        assert!(matches!(
            committer.ticket(None).await,
            Err(StoreError::NoSpace(_))
        ));
        assert!(matches!(
            committer.ticket(None).await,
            Err(StoreError::Stopped(_))
        ));
        assert!(matches!(committer.check(), Err(StoreError::Stopped(_))));
    }

    #[tokio::test]
    async fn a_panicking_flush_fails_its_tickets() {
        let committer = started(|| panic!("expected by the test")).unwrap();
        assert!(matches!(
            committer.ticket(None).await,
            Err(StoreError::Io(_))
        ));
        assert!(matches!(
            committer.ticket(None).await,
            Err(StoreError::Stopped(_))
        ));
    }

    #[tokio::test]
    async fn closing_completes_what_waits_and_refuses_what_comes() {
        let committer = started(|| Ok(())).unwrap();
        let early = committer.ticket(None);
        committer.close();
        early.await.unwrap();
        assert!(matches!(
            committer.ticket(None).await,
            Err(StoreError::Closed)
        ));
    }
}
