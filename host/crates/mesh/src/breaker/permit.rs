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

/// The right to make one call. Dropped, it counts as [`Outcome::Ignored`], and a
/// probe gives its place to the next call.
#[must_use = "a permit that is dropped tells nothing of the call"]
pub struct Permit<'b> {
    breaker: &'b Breaker,
    gate: u64,
    probe: Option<u64>,
    began: Option<Instant>,
    /// What became of the call, and when it was over.
    ended: Option<(Outcome, Instant)>,
}

impl<'b> Permit<'b> {
    pub(super) fn new(
        breaker: &'b Breaker,
        gate: u64,
        probe: Option<u64>,
        began: Option<Instant>,
    ) -> Self {
        Self {
            breaker,
            gate,
            probe,
            began,
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
        self.probe.is_some()
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let (outcome, now) = match self.ended {
            Some(ended) => ended,
            None if self.probe.is_some() => (Outcome::Ignored, Instant::now()),
            None => return,
        };
        self.breaker
            .settle(self.gate, self.probe, self.began, outcome, now);
    }
}
