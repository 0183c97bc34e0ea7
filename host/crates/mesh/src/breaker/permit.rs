//! The right to make one call, and what became of it.

use tokio::time::Instant;

use super::Breaker;

/// What a call says about the side that is guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered.
    Success,
    /// It crashed, ran out of its limits, or could not be reached.
    Failure,
    /// Nothing: the host refused the call itself, or the caller went away.
    Ignored,
}

/// How a call was let in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admission {
    /// The state of the breaker then.
    pub(super) gate: u64,
    /// Its number, if it decides whether the breaker closes.
    pub(super) probe: Option<u64>,
    /// When.
    pub(super) began: Instant,
}

/// The right to make one call. Dropped, it counts as [`Outcome::Ignored`], and a
/// probe gives its place to the next call.
#[must_use = "a permit that is dropped tells nothing of the call"]
pub struct Permit<'b> {
    breaker: &'b Breaker,
    admission: Admission,
    /// What became of the call, and when it was over.
    ended: Option<(Outcome, Instant)>,
}

impl<'b> Permit<'b> {
    pub(super) fn new(breaker: &'b Breaker, admission: Admission) -> Self {
        Self {
            breaker,
            admission,
            ended: None,
        }
    }

    /// Tells what became of the call, which ends now.
    pub fn settle(self, outcome: Outcome) {
        self.settle_at(outcome, Instant::now());
    }

    /// Tells what became of the call, which ended at `now`.
    pub fn settle_at(mut self, outcome: Outcome, now: Instant) {
        self.ended = Some((outcome, now));
    }

    /// Whether this is the one call that decides if a revision gets traffic again.
    pub fn is_probe(&self) -> bool {
        self.admission.probe.is_some()
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let (outcome, now) = match self.ended {
            Some(ended) => ended,
            None if self.is_probe() => (Outcome::Ignored, Instant::now()),
            None => return,
        };
        self.breaker.settle(self.admission, outcome, now);
    }
}
