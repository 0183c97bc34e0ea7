//! An answer that is made on though its client has left.
//!
//! On HTTP/2 a client takes one request back and keeps the connection: hyper drops the
//! request's future then. If its call goes on, that future moves to a task of its own.
//! On HTTP/1 the connection itself goes on, so nothing has to move.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tokio::runtime::Handle;

use super::Tie;
use crate::aside::aside;
use crate::shutdown::Holds;

/// An answer of one HTTP/2 stream.
pub struct Lasting<A: Send + 'static, T: Tie> {
    /// Until it is there.
    work: Option<BoxFuture<'static, A>>,
    tie: T,
    holds: Holds,
}

impl<A: Send + 'static, T: Tie> Lasting<A, T> {
    /// One that `work` makes. What goes on without its client is held by `holds`.
    pub fn new(work: impl Future<Output = A> + Send + 'static, tie: T, holds: Holds) -> Self {
        Self {
            work: Some(aside(|| work)),
            tie,
            holds,
        }
    }
}

impl<A: Send + 'static, T: Tie> Future for Lasting<A, T> {
    type Output = A;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A> {
        let work = self.work.as_mut();
        let work = work.expect("an answer is not polled after it was given");
        let answer = std::task::ready!(work.as_mut().poll(cx));
        self.work = None;
        Poll::Ready(answer)
    }
}

impl<A: Send + 'static, T: Tie> Drop for Lasting<A, T> {
    fn drop(&mut self) {
        if !self.tie.goes_on() {
            return;
        }
        // Without a runtime the host has ended.
        let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) else {
            return;
        };
        // Without its client, nothing else keeps the host from ending.
        let hold = self.holds.hold();
        runtime.spawn(async move {
            drop(work.await);
            drop(hold);
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::connection::tests::{Loose, goes_on};
    use crate::shutdown::Drainer;

    #[tokio::test]
    async fn what_goes_on_ends_by_itself_and_holds_the_host() {
        let (drainer, tie) = (Drainer::new(), Loose::default());
        let (go, gone) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel();
        let work = async move {
            let _ = gone.await;
            let _ = done.send(());
        };
        let mut lasting = Lasting::new(work, tie.clone(), drainer.holds());
        assert!(futures::poll!(&mut lasting).is_pending());
        goes_on(&tie);
        drop(lasting);
        let mut drained = Box::pin(drainer.run(std::time::Duration::from_secs(3600)));
        assert!(futures::poll!(&mut drained).is_pending());
        go.send(()).unwrap();
        ended.await.unwrap();
        drained.await;
    }

    #[tokio::test]
    async fn what_has_not_begun_ends_with_its_client() {
        let (drainer, tie) = (Drainer::new(), Loose::default());
        let (alive, ended) = oneshot::channel::<()>();
        let work = async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        };
        drop(Lasting::new(work, tie, drainer.holds()));
        assert!(ended.await.is_err());
    }
}
