//! The threads that calls run on, by the class of their service.
//!
//! Interactive services run on the threads that serve requests. Batch services run
//! on as many of their own, which the system schedules when no other thread of the
//! machine wants the core: a batch that computes on all cores costs a request the
//! time to take one back, and no more.
//!
//! A call between the classes moves to the other's threads, in both directions: an
//! interactive service that a batch calls must not hold its instance on a thread
//! that may not get a core for long. Whatever both share (a pool's lock, the
//! store's, the log's) is held for moments; a batch thread always gets a small
//! share of a core, so that such a moment ends.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id, thread_schedule_policy,
};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use stoa_settings::Class;

thread_local! {
    static CLASS: Cell<Class> = const { Cell::new(Class::Interactive) };
}

/// Where a thread that compiles stands between the ends, 0 and 99: niceness 9, an
/// eighth of a core against one that serves. A deployment goes on under full load,
/// and is hardly felt.
const COMPILES: u8 = 25;

/// The threads of one host.
pub struct Threads {
    interactive: Handle,
    /// Started with the first batch service; `None` if the system did not give them.
    batch: OnceLock<Option<Runtime>>,
}

impl Threads {
    /// `interactive` are those that serve requests.
    pub fn new(interactive: Handle) -> Self {
        Self {
            interactive,
            batch: OnceLock::new(),
        }
    }

    /// The threads that a call of a service of this class must move to; `None` if
    /// the current thread is one of them.
    pub fn elsewhere(&self, class: Class) -> Option<&Handle> {
        if CLASS.get() == class {
            return None;
        }
        match class {
            Class::Interactive => Some(&self.interactive),
            Class::Batch => self
                .batch
                .get_or_init(batch_threads)
                .as_ref()
                .map(Runtime::handle),
        }
    }

    /// How many threads serve this class.
    pub fn count(&self, class: Class) -> usize {
        match class {
            Class::Interactive => self.interactive.metrics().num_workers(),
            Class::Batch => cores(),
        }
    }

    /// Does work that may block and takes long, on a thread that gives way to those
    /// that serve. `None` if the work panicked.
    ///
    /// The compiler's own threads are started by the first such work and keep its
    /// priority.
    pub async fn compile<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let runtime = Handle::current();
        let thread = std::thread::Builder::new().name("stoa-compile".to_owned());
        let spawned = thread.spawn(move || {
            let _context = runtime.enter();
            lower(NormalThreadSchedulePolicy::Other, compile_priority());
            // Nobody waits for it if the host ends.
            let _ = done.send(work());
        });
        match spawned {
            Ok(_) => result.await.ok(),
            Err(error) => {
                tracing::error!("the system gives no thread to compile on: {error}");
                None
            }
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Waiting for guests here would block a thread that serves.
        if let Some(Some(runtime)) = self.batch.take() {
            runtime.shutdown_background();
        }
    }
}

/// Work on other threads: it ends when this is dropped. `None` is what it gives if
/// it panicked.
pub struct Away<T>(JoinHandle<T>);

impl<T: Send + 'static> Away<T> {
    /// Starts it.
    pub fn start(there: &Handle, work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(there.spawn(work))
    }
}

impl<T> Future for Away<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

impl<T> Drop for Away<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn batch_threads() -> Option<Runtime> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(cores())
        .thread_name("stoa-batch")
        .on_thread_start(|| {
            CLASS.set(Class::Batch);
            give_way();
        })
        .enable_all()
        .build();
    runtime
        .inspect_err(|error| {
            tracing::error!(
                "no threads for batch services, which run beside the others now: {error}"
            );
        })
        .ok()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Gives the current thread a core only when no other wants it, or as near to that
/// as the system has it.
fn give_way() {
    let idle = NormalThreadSchedulePolicy::Idle;
    lower(idle, ThreadPriority::Min);
    if thread_schedule_policy() != Ok(ThreadSchedulePolicy::Normal(idle)) {
        lower(NormalThreadSchedulePolicy::Other, ThreadPriority::Min);
    }
}

fn compile_priority() -> ThreadPriority {
    ThreadPriorityValue::try_from(COMPILES)
        .map_or(ThreadPriority::Min, ThreadPriority::Crossplatform)
}

fn lower(policy: NormalThreadSchedulePolicy, priority: ThreadPriority) {
    let policy = ThreadSchedulePolicy::Normal(policy);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), priority, policy) {
        tracing::debug!("a thread's priority could not be lowered to {policy:?}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_idle() -> bool {
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        thread_schedule_policy() == Ok(idle)
    }

    #[tokio::test]
    async fn work_moves_between_the_classes_and_back() {
        let threads = std::sync::Arc::new(Threads::new(Handle::current()));
        assert!(threads.elsewhere(Class::Interactive).is_none());
        let there = threads.elsewhere(Class::Batch).cloned().unwrap();
        let back = threads.clone();
        let found = Away::start(&there, async move {
            assert!(back.elsewhere(Class::Batch).is_none());
            let here = back.elsewhere(Class::Interactive).unwrap();
            let idle_there = Away::start(here, async { is_idle() }).await.unwrap();
            (is_idle(), idle_there)
        });
        assert_eq!(found.await.unwrap(), (cfg!(target_os = "linux"), false));
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_ends() {
        let threads = Threads::new(Handle::current());
        let there = threads.elsewhere(Class::Batch).unwrap();
        let (alive, mut ended) = oneshot::channel::<()>();
        let away = Away::start(there, async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        drop(away);
        assert!((&mut ended).await.is_err(), "its task is gone");
    }

    #[tokio::test]
    async fn a_panic_there_is_none_here() {
        let threads = Threads::new(Handle::current());
        let there = threads.elsewhere(Class::Batch).unwrap();
        let away = Away::start(there, async { panic!("as asked") });
        assert_eq!(away.await, None::<()>);
        assert_eq!(Threads::compile(|| panic!("as asked")).await, None::<()>);
        assert_eq!(Threads::compile(|| 7).await, Some(7));
    }
}
