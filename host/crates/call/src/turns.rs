//! Handing a thread back though one could go on, so that others have their turn.
//!
//! Who polls such work sees only that it is pending, as if it waited for something: this
//! tells the two apart.

use std::cell::Cell;

thread_local! {
    /// Whether what was polled last on this thread could go on. What is polled inside of
    /// other work tells it of both.
    static COULD_GO_ON: Cell<bool> = const { Cell::new(false) };
}

/// Goes on after all that is ready, once the sockets were looked at.
pub async fn hand_back() {
    could_go_on();
    tokio::task::yield_now().await;
}

/// Notes that what is polled on this thread is about to hand it back.
pub fn could_go_on() {
    COULD_GO_ON.set(true);
}

/// Polls something, and tells whether it handed the thread back though it could go on.
pub fn polled<T>(poll: impl FnOnce() -> T) -> (T, bool) {
    COULD_GO_ON.set(false);
    let polled = poll();
    (polled, COULD_GO_ON.get())
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn who_waits_could_not_go_on() {
        let mut turn = Box::pin(hand_back());
        assert_eq!(polled(|| turn.as_mut().now_or_never()), (None, true));
        assert_eq!(polled(|| pending::<()>().now_or_never()), (None, false));
        turn.await;
    }
}
