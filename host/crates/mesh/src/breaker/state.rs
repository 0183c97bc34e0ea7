//! The states of a breaker, and how they are told.

use std::fmt;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::record::Counts;

/// A breaker's state, as people and metrics see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Every call goes through.
    Closed,
    /// One probe may be under way, nothing else.
    HalfOpen,
    /// Nothing goes through.
    Open,
    /// A growing share goes through.
    Ramp,
}

/// What an operator holds a breaker at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forced {
    /// Nothing goes through.
    Open,
    /// Every call goes through, whatever becomes of it.
    Closed,
}

impl Forced {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// Why a breaker is in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It has been so from the beginning.
    New,
    /// That many failures came in a row.
    Consecutive {
        /// How many.
        failures: u32,
    },
    /// Too few calls of the window succeeded.
    SuccessRate {
        /// Those that failed.
        failed: u64,
        /// All of the window.
        calls: u64,
    },
    /// Too many calls of the window were slow.
    SlowCalls {
        /// Those that were slow.
        slow: u64,
        /// All of the window.
        calls: u64,
    },
    /// It was open long enough for a probe.
    ProbeDue,
    /// The probe failed, or was slow.
    ProbeFailed,
    /// The probe succeeded.
    ProbeSucceeded,
    /// The ramp is over.
    Recovered,
    /// An operator said so.
    Operator,
}

/// A change of state.
#[derive(Debug, Clone, Copy)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Why.
    pub reason: Reason,
}

/// A breaker at one moment.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Its state.
    pub state: State,
    /// What an operator holds it at.
    pub forced: Option<Forced>,
    /// Why it is in its state.
    pub reason: Reason,
    /// Since when.
    pub since: SystemTime,
    /// Calls of the window that succeeded.
    pub succeeded: u64,
    /// Calls of the window that failed.
    pub failed: u64,
    /// Calls of the window that were slow.
    pub slow: u64,
    /// Failures since the last success.
    pub consecutive: u32,
    /// Until when no call is let through, if it is open by itself.
    pub next_probe: Option<Duration>,
}

/// What a lock guards.
pub(super) struct Inner {
    pub(super) phase: Phase,
    pub(super) forced: Option<Forced>,
    pub(super) reason: Reason,
    pub(super) since: SystemTime,
    /// Times that it opened since it was last closed for good.
    pub(super) opened: u32,
    /// Number of the newest probe.
    pub(super) probes: u64,
}

/// A state with what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Closed,
    Open {
        until: Instant,
    },
    HalfOpen {
        /// When the probe under way is given up as lost.
        probe: Option<Instant>,
    },
    Ramp {
        since: Instant,
    },
}

// === impl State ===

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Closed, Self::HalfOpen, Self::Open, Self::Ramp];

    /// Its name in metrics, logs and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
            Self::Ramp => "ramp",
        }
    }

    /// Its value in `stoa_breaker_state`.
    pub const fn number(self) -> usize {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
            Self::Ramp => 3,
        }
    }
}

// === impl Reading ===

impl Reading {
    /// Calls of the window.
    pub fn calls(&self) -> u64 {
        self.succeeded + self.failed
    }
}

// === impl Reason ===

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("no call has failed yet"),
            Self::Consecutive { failures } => write!(f, "{failures} calls in a row failed"),
            Self::SuccessRate { failed, calls } => write!(f, "{failed} of {calls} calls failed"),
            Self::SlowCalls { slow, calls } => write!(f, "{slow} of {calls} calls were slow"),
            Self::ProbeDue => f.write_str("it was open long enough: the next call is a probe"),
            Self::ProbeFailed => f.write_str("the probe failed"),
            Self::ProbeSucceeded => f.write_str("the probe succeeded"),
            Self::Recovered => f.write_str("the calls after the probe succeeded"),
            Self::Operator => f.write_str("an operator said so"),
        }
    }
}

// === impl Inner ===

impl Inner {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Closed,
            forced: None,
            reason: Reason::New,
            since: SystemTime::now(),
            opened: 0,
            probes: 0,
        }
    }

    pub(super) fn state(&self) -> State {
        match (self.forced, self.phase) {
            (Some(Forced::Open), _) | (None, Phase::Open { .. }) => State::Open,
            (Some(Forced::Closed), _) | (None, Phase::Closed) => State::Closed,
            (None, Phase::HalfOpen { .. }) => State::HalfOpen,
            (None, Phase::Ramp { .. }) => State::Ramp,
        }
    }

    pub(super) fn read(&self, within: Counts, consecutive: u32, now: Instant) -> Reading {
        let next_probe = match (self.forced, self.phase) {
            (None, Phase::Open { until }) => Some(until.saturating_duration_since(now)),
            _ => None,
        };
        Reading {
            state: self.state(),
            forced: self.forced,
            reason: self.reason,
            since: self.since,
            succeeded: within.calls - within.failed,
            failed: within.failed,
            slow: within.slow,
            consecutive,
            next_probe,
        }
    }
}
