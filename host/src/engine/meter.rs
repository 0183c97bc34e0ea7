//! How long a guest was ready to run and waited for a thread.
//!
//! A guest that computes hands its thread back at each tick of the epoch; until it
//! gets one again it waits for a core and for nothing else. That time tells how
//! many guests the machine can carry, which the time of a call does not: a guest
//! may as well wait for another service or for the store.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The wait of one instance's call. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Meter(Arc<Counters>);

#[derive(Default)]
struct Counters {
    yielded: AtomicBool,
    nanos: AtomicU64,
}

impl Meter {
    /// Begins a call.
    pub(super) fn reset(&self) {
        self.0.nanos.store(0, Ordering::Relaxed);
    }

    /// Notes that the guest hands its thread back, though it could go on.
    pub(super) fn yielded(&self) {
        self.0.yielded.store(true, Ordering::Relaxed);
    }

    /// How long the call has waited for a core.
    pub(super) fn waited(&self) -> Duration {
        Duration::from_nanos(self.0.nanos.load(Ordering::Relaxed))
    }

    /// Runs `guest`, and notes its waits.
    pub(super) fn watch<F: Future>(&self, guest: F) -> Watched<'_, F> {
        Watched {
            meter: self,
            left: None,
            guest,
        }
    }

    fn add(&self, wait: Duration) {
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        self.0.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

pin_project_lite::pin_project! {
    /// Future of [`Meter::watch`].
    pub(super) struct Watched<'m, F> {
        meter: &'m Meter,
        // When the guest handed its thread back.
        left: Option<Instant>,
        #[pin]
        guest: F,
    }
}

impl<F: Future> Future for Watched<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Some(left) = this.left.take() {
            this.meter.add(left.elapsed());
        }
        let polled = this.guest.poll(cx);
        if polled.is_pending() && this.meter.0.yielded.swap(false, Ordering::Relaxed) {
            *this.left = Some(Instant::now());
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// Is pending this often, as a guest that yields or as one that waits.
    async fn rounds(meter: &Meter, rounds: u32, yields: bool) {
        let mut left = rounds;
        let guest = poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            if yields {
                meter.yielded();
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        meter.watch(guest).await;
    }

    #[tokio::test]
    async fn only_the_waits_of_a_guest_that_is_ready_count() {
        let meter = Meter::default();
        rounds(&meter, 5, false).await;
        assert_eq!(meter.waited(), Duration::ZERO);
        rounds(&meter, 5, true).await;
        assert!(meter.waited() > Duration::ZERO);
        meter.reset();
        assert_eq!(meter.waited(), Duration::ZERO);
    }
}
