//! Tells a guest that computes from one that waits for the host.
//!
//! A guest that computes hands its thread back at each tick of the epoch, and is ready
//! to go on. One that waits (for the store, another service, an answer from outside)
//! needs no core: what came before it can begin another call meanwhile.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use stoa_call::turns;

/// Ticks that a call computes before it counts as one that waits. It is no longer what
/// the others may be made to wait for: half a second at the usual epoch.
const LONG: u32 = 250;

/// Who wants to know which guests of a revision need no core.
pub trait Waits: Send + Sync {
    /// A guest waits from now on.
    fn begin(self: Arc<Self>);
    /// A guest does not wait any more.
    fn end(&self);
}

/// Runs `guest`, and tells `waits` when it waits.
pub(super) fn watch<F: Future>(waits: Option<&Weak<dyn Waits>>, guest: F) -> Watched<'_, F> {
    Watched {
        waits,
        waiting: None,
        ticks: 0,
        guest,
    }
}

pin_project_lite::pin_project! {
    /// Future of [`watch`].
    pub(super) struct Watched<'w, F> {
        waits: Option<&'w Weak<dyn Waits>>,
        waiting: Option<Waiting>,
        ticks: u32,
        #[pin]
        guest: F,
    }
}

impl<F: Future> Future for Watched<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if *this.ticks < LONG {
            *this.waiting = None;
        }
        // A guest whose callee computes is none that waits: both run in one poll.
        let (polled, computes) = turns::polled(|| this.guest.poll(cx));
        if polled.is_pending() && this.waiting.is_none() {
            *this.ticks += u32::from(computes);
            if !computes || *this.ticks >= LONG {
                *this.waiting = this.waits.and_then(Weak::upgrade).map(Waiting::begin);
            }
        }
        polled
    }
}

/// A guest waits as long as this lives.
struct Waiting(Arc<dyn Waits>);

impl Waiting {
    fn begin(waits: Arc<dyn Waits>) -> Self {
        Arc::clone(&waits).begin();
        Self(waits)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::FutureExt as _;

    use super::*;

    #[derive(Default)]
    struct Counted {
        waiting: AtomicU32,
        begun: AtomicU32,
    }

    impl Waits for Counted {
        fn begin(self: Arc<Self>) {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            self.begun.fetch_add(1, Ordering::Relaxed);
        }

        fn end(&self) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    impl Counted {
        fn now(&self) -> u32 {
            self.waiting.load(Ordering::Relaxed)
        }
    }

    fn counted() -> (Arc<Counted>, Weak<dyn Waits>) {
        let counted = Arc::new(Counted::default());
        let waits: Weak<dyn Waits> = Arc::downgrade(&(counted.clone() as Arc<dyn Waits>));
        (counted, waits)
    }

    /// Is pending this often, as a guest that computes or as one that waits.
    fn rounds(rounds: u32, computes: bool) -> impl Future<Output = ()> {
        let mut left = rounds;
        poll_fn(move |_| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            if computes {
                turns::could_go_on();
            }
            Poll::Pending
        })
    }

    #[test]
    fn only_a_guest_that_is_not_ready_waits() {
        let (counted, waits) = counted();
        let mut computes = Box::pin(watch(Some(&waits), rounds(2, true)));
        assert!(computes.as_mut().now_or_never().is_none());
        assert_eq!(counted.now(), 0);
        let mut waiting = Box::pin(watch(Some(&waits), rounds(2, false)));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(counted.now(), 1);
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(counted.now(), 1);
        assert!(waiting.as_mut().now_or_never().is_some());
        assert_eq!(counted.now(), 0, "it has ended");
    }

    #[test]
    fn who_is_dropped_while_it_waits_does_not_wait_any_more() {
        let (counted, waits) = counted();
        let mut waiting = Box::pin(watch(Some(&waits), rounds(2, false)));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(waiting);
        assert_eq!(counted.now(), 0);
        let mut unheard = Box::pin(watch(None, rounds(1, false)));
        assert!(unheard.as_mut().now_or_never().is_none());
    }

    #[test]
    fn whose_callee_computes_computes() {
        let (counted, waits) = counted();
        let callee = watch(Some(&waits), rounds(1, true).then(|()| rounds(1, false)));
        let mut caller = Box::pin(watch(Some(&waits), callee));
        assert!(caller.as_mut().now_or_never().is_none());
        assert_eq!(counted.now(), 0);
        assert!(caller.as_mut().now_or_never().is_none());
        assert_eq!(counted.now(), 2, "the callee waits, and with it the caller");
    }

    #[test]
    fn a_call_that_computes_long_makes_nobody_wait() {
        let (counted, waits) = counted();
        let mut guest = Box::pin(watch(Some(&waits), rounds(2 * LONG, true)));
        for tick in 1..=2 * LONG {
            assert!(guest.as_mut().now_or_never().is_none());
            assert_eq!(counted.now(), u32::from(tick >= LONG), "{tick}");
        }
        assert_eq!(counted.begun.load(Ordering::Relaxed), 1, "told once");
    }
}
