//! A deadline for a future, free for those that end at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

/// The deadline came first.
#[derive(Debug)]
pub struct Elapsed;

/// Ends `work` at `deadline` by dropping it.
///
/// Most calls end in their first poll. A timer is set only when one does not,
/// for registering it costs more than the shortest calls do. A busy guest never
/// lets the timer's task run in time, so the clock is asked at each poll as well.
pub fn within<F: Future>(deadline: Instant, work: F) -> Within<F> {
    Within {
        deadline,
        timer: None,
        work,
    }
}

pin_project_lite::pin_project! {
    /// Future of [`within`].
    pub struct Within<F> {
        deadline: Instant,
        timer: Option<Pin<Box<Sleep>>>,
        #[pin]
        work: F,
    }
}

impl<F: Future> Future for Within<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.work.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let deadline = *this.deadline;
        if Instant::now() >= deadline {
            return Poll::Ready(Err(Elapsed));
        }
        let timer = this
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        timer.as_mut().poll(cx).map(|()| Err(Elapsed))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_that_is_ready_wins_even_past_its_deadline() {
        let late = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(within(late, ready(7)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn work_that_waits_ends_at_its_deadline() {
        let soon = Instant::now() + Duration::from_millis(5);
        assert!(within(soon, pending::<()>()).await.is_err());
        assert!(Instant::now() >= soon);
    }

    #[tokio::test]
    async fn work_that_never_rests_ends_at_its_deadline() {
        let soon = Instant::now() + Duration::from_millis(5);
        let busy = std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert!(within(soon, busy).await.is_err());
    }
}
