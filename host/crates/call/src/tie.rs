//! What ties a call to the client that waits for its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use stoa_settings::OnDisconnect;

/// What becomes of a call when its client leaves. Clones share it: the call says how
/// far it is, whoever watches the client reads it.
///
/// One may serve call after call, but no two at the same time.
#[derive(Debug, Clone, Default)]
pub struct Tie(Arc<State>);

#[derive(Debug, Default)]
struct State {
    tie: AtomicU8,
    /// Nothing more of its request is wanted.
    has_request: AtomicBool,
}

// What a tie may be. The waiting ones know what they become.
const LOOSE: u8 = 0;
const WAITS_TO_END: u8 = 1;
const WAITS_TO_GO_ON: u8 = 2;
const ENDS: u8 = 3;
const GOES_ON: u8 = 4;

impl Tie {
    /// A call waits for its turn: without its client it is never begun.
    pub fn wait(&self, on_disconnect: OnDisconnect) {
        self.set(match on_disconnect {
            OnDisconnect::Cancel => WAITS_TO_END,
            OnDisconnect::Finish => WAITS_TO_GO_ON,
        });
    }

    /// The call has all that it wants of its request: what its client sends from here on
    /// stands behind it.
    pub fn has_request(&self) {
        self.0.has_request.store(true, Ordering::Relaxed);
    }

    /// The call has begun.
    pub fn begin(&self) {
        match self.get() {
            WAITS_TO_END => self.set(ENDS),
            WAITS_TO_GO_ON => self.set(GOES_ON),
            _ => {}
        }
    }

    /// The call is answered; `whole` where nothing of it goes on. One that goes on
    /// needs nobody who watches its client from here on.
    pub fn answer(&self, whole: bool) {
        if whole || self.get() != ENDS {
            self.loosen();
        }
    }

    /// Nothing is left that could end.
    pub fn loosen(&self) {
        self.set(LOOSE);
        self.0.has_request.store(false, Ordering::Relaxed);
    }

    /// Whether the call ends when its client leaves, as it is now.
    pub fn ends(&self) -> bool {
        matches!(self.get(), WAITS_TO_END | WAITS_TO_GO_ON | ENDS)
    }

    /// Whether the call goes on when its client leaves, as it is now.
    pub fn goes_on(&self) -> bool {
        self.get() == GOES_ON
    }

    /// Whether the call wants nothing more of its request.
    pub fn wants_no_more(&self) -> bool {
        self.0.has_request.load(Ordering::Relaxed)
    }

    // A call and its watcher run on one task, mostly, and on none for more than moments.
    fn get(&self) -> u8 {
        self.0.tie.load(Ordering::Relaxed)
    }

    fn set(&self, to: u8) {
        self.0.tie.store(to, Ordering::Relaxed);
    }
}

impl stoa_http::connection::Tie for Tie {
    fn ends(&self) -> bool {
        self.ends()
    }

    fn goes_on(&self) -> bool {
        self.goes_on()
    }

    fn wants_no_more(&self) -> bool {
        self.wants_no_more()
    }

    fn loosen(&self) {
        self.loosen();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_waits_ends_whatever_its_route_says() {
        for on_disconnect in [OnDisconnect::Cancel, OnDisconnect::Finish] {
            let tie = Tie::default();
            assert!(!tie.ends() && !tie.goes_on(), "there is no call");
            tie.wait(on_disconnect);
            assert!(tie.ends() && !tie.goes_on());
            tie.begin();
            assert_eq!(tie.ends(), on_disconnect == OnDisconnect::Cancel);
            assert_eq!(tie.goes_on(), on_disconnect == OnDisconnect::Finish);
        }
    }

    #[test]
    fn an_answer_that_is_still_written_ends_with_its_client() {
        let tie = Tie::default();
        tie.wait(OnDisconnect::Cancel);
        tie.begin();
        tie.answer(false);
        assert!(tie.ends());
        tie.answer(true);
        assert!(!tie.ends());
        tie.wait(OnDisconnect::Finish);
        tie.begin();
        tie.answer(false);
        assert!(!tie.ends() && !tie.goes_on());
    }

    #[test]
    fn the_next_call_wants_its_request_again() {
        let tie = Tie::default();
        tie.wait(OnDisconnect::Cancel);
        assert!(!tie.wants_no_more());
        tie.has_request();
        assert!(tie.wants_no_more());
        tie.loosen();
        tie.wait(OnDisconnect::Cancel);
        assert!(!tie.wants_no_more());
    }
}
