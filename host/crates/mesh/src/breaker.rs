//! Cuts off what fails, and lets it back with care.
//!
//! ```text
//!            failures in a row, success rate, slow calls
//!   closed ───────────────────────────────────────────────► open ◄──┐
//!     ▲                                                      │ time │ the probe
//!     │ the ramp is over                       one probe ▼   │      │ failed
//!    ramp ◄──────────────────────────────────────────── half-open ──┘
//!            the probe succeeded      a probe that is cancelled gives its place back
//! ```
//!
//! One [`Breaker`] guards one way to one thing: a revision from the gateway, a
//! revision from a calling service, an upstream. [`Breaker::admit`] gives a
//! [`Permit`]; what became of the call is told to the permit. A permit that is
//! dropped says nothing about the guarded side: a cancelled call, the host's own
//! shedding. Closed, it costs one atomic load before a call and, after it, the call's
//! place in the one record of its link ([`CallRecord`]); locks are taken only in the other states.
//!
//! Knows nothing of what it guards. The clock is tokio's, so tests can pause it.

mod permit;
mod state;
#[cfg(test)]
mod tests;
mod verdict;
mod window;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::record::{CallRecord, Counts};
use permit::Admission;
pub use permit::{Outcome, Permit};
pub use state::{Forced, Reading, Reason, State, Transition};
use state::{Inner, Phase};
use stoa_settings as settings;
pub use window::Tally;
use window::Window;

/// Why a call was not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejected {
    /// When it is worth trying again.
    pub retry_after: Duration,
    /// Whether an operator holds it open.
    pub held: bool,
}

/// What is told of each transition. Must not call the breaker back.
pub type Observer = Box<dyn Fn(&Transition) + Send + Sync>;

/// Guards one way to one thing.
pub struct Breaker {
    settings: settings::Breaker,
    /// Generation (upper bits) and whether a call must look closer ([`GUARDED`]).
    gate: AtomicU64,
    /// Failures since the last success.
    consecutive: AtomicU32,
    record: CallRecord,
    window: Window,
    inner: Mutex<Inner>,
    observer: Observer,
}

/// Bit of the gate that is set in every state but closed.
const GUARDED: u64 = 1;
/// The least share that a ramp admits, so that it has something to judge by.
const RAMP_FLOOR: f64 = 0.1;
/// What a probe may take beyond its deadline before it is given up as lost.
const PROBE_GRACE: Duration = Duration::from_secs(1);
/// Told to clients where nobody knows when it will be better.
const RETRY_UNKNOWN: Duration = Duration::from_secs(1);

impl Breaker {
    /// A closed breaker that tells `observer` of each transition.
    pub fn new(settings: settings::Breaker, observer: Observer) -> Self {
        Self {
            record: CallRecord::default(),
            window: Window::new(settings.window, Instant::now()),
            settings,
            gate: AtomicU64::new(0),
            consecutive: AtomicU32::new(0),
            inner: Mutex::new(Inner::new()),
            observer,
        }
    }

    /// Lets a call through that begins `now` and ends by `deadline`.
    ///
    /// # Errors
    ///
    /// When the guarded side is cut off at present.
    pub fn admit(&self, deadline: Instant, now: Instant) -> Result<Permit<'_>, Rejected> {
        let gate = self.gate.load(Ordering::Acquire);
        if gate & GUARDED == 0 {
            let admission = Admission {
                gate,
                probe: None,
                began: now,
            };
            return Ok(Permit::new(self, admission));
        }
        self.admit_guarded(deadline, now)
    }

    /// Whether [`Breaker::admit`] may let a call through `now`: only a look, which
    /// changes nothing. A ramp still draws by lot.
    pub fn admits(&self, now: Instant) -> bool {
        if self.gate.load(Ordering::Acquire) & GUARDED == 0 {
            return true;
        }
        let inner = self.lock();
        match (inner.forced, inner.phase) {
            (Some(forced), _) => forced == Forced::Closed,
            (None, Phase::Open { until }) => now >= until,
            (None, Phase::HalfOpen { probe }) => probe.is_none_or(|expiry| now >= expiry),
            (None, Phase::Closed | Phase::Ramp { .. }) => true,
        }
    }

    /// Whether nothing goes through but a probe.
    pub fn is_cut_off(&self) -> bool {
        self.gate.load(Ordering::Acquire) & GUARDED != 0
            && matches!(self.lock().state(), State::Open | State::HalfOpen)
    }

    /// What it was made with.
    pub fn settings(&self) -> &settings::Breaker {
        &self.settings
    }

    /// Counts a call as failed whose permit was used, such as one whose body broke off in
    /// the middle.
    pub fn fail(&self) {
        let (gate, now) = (self.gate.load(Ordering::Acquire), Instant::now());
        self.window.roll(now, || self.record.counts());
        self.record.fail();
        self.consecutive.fetch_add(1, Ordering::Relaxed);
        self.judge(gate, now);
    }

    /// What was counted of its calls.
    pub(super) fn record(&self) -> &CallRecord {
        &self.record
    }

    /// Holds it open or closed, or gives it back to itself with `None`.
    pub fn force(&self, forced: Option<Forced>) {
        let mut inner = self.lock();
        if inner.forced != forced {
            let from = inner.state();
            inner.forced = forced;
            inner.opened = 0;
            // Given back it begins anew: what it saw before is of another time.
            self.change(&mut inner, Phase::Closed);
            self.announce(&mut inner, from, Reason::Operator);
        }
    }

    /// What it is and what it counts now.
    pub fn read(&self) -> Reading {
        let now = Instant::now();
        let mut inner = self.lock();
        self.finish_ramp(&mut inner, now);
        inner.read(
            self.within(now),
            self.consecutive.load(Ordering::Relaxed),
            now,
        )
    }

    fn admit_guarded(&self, deadline: Instant, now: Instant) -> Result<Permit<'_>, Rejected> {
        let mut inner = self.lock();
        match inner.forced {
            Some(Forced::Open) => {
                return Err(Rejected {
                    retry_after: self.settings.open_max,
                    held: true,
                });
            }
            Some(Forced::Closed) => return Ok(self.permit(None, now)),
            None => self.finish_ramp(&mut inner, now),
        }
        match inner.phase {
            Phase::Closed => Ok(self.permit(None, now)),
            Phase::Open { until } if now < until => Err(Rejected {
                retry_after: until - now,
                held: false,
            }),
            Phase::Open { .. } => {
                let phase = Phase::HalfOpen { probe: None };
                self.enter(&mut inner, phase, Reason::ProbeDue);
                Ok(self.probe(&mut inner, deadline, now))
            }
            Phase::HalfOpen {
                probe: Some(expiry),
            } if now < expiry => Err(Rejected {
                retry_after: RETRY_UNKNOWN,
                held: false,
            }),
            Phase::HalfOpen { .. } => Ok(self.probe(&mut inner, deadline, now)),
            Phase::Ramp { since } => {
                let share = (now - since).div_duration_f64(self.settings.ramp);
                if fastrand::f64() < share.max(RAMP_FLOOR) {
                    Ok(self.permit(None, now))
                } else {
                    Err(Rejected {
                        retry_after: RETRY_UNKNOWN,
                        held: false,
                    })
                }
            }
        }
    }

    fn permit(&self, probe: Option<u64>, now: Instant) -> Permit<'_> {
        let admission = Admission {
            gate: self.gate.load(Ordering::Acquire),
            probe,
            began: now,
        };
        Permit::new(self, admission)
    }

    fn probe(&self, inner: &mut Inner, deadline: Instant, now: Instant) -> Permit<'_> {
        inner.probes += 1;
        inner.phase = Phase::HalfOpen {
            probe: Some(deadline.max(now) + PROBE_GRACE),
        };
        self.permit(Some(inner.probes), now)
    }

    /// Takes what became of a call.
    fn settle(&self, admission: Admission, outcome: Outcome, now: Instant) {
        let Admission { gate, probe, began } = admission;
        let (took, failed) = (now - began, outcome == Outcome::Failure);
        let slow = self.times_calls() && took >= self.settings.slow_call;
        // Of a time before the last transition: says nothing about now.
        let is_stale = self.gate.load(Ordering::Acquire) >> 1 != gate >> 1;
        if outcome != Outcome::Ignored {
            self.window.roll(now, || self.record.counts());
            self.record.call(took, failed, slow);
        }
        if let Some(probe) = probe {
            return self.settle_probe(probe, slow, outcome, now);
        }
        match outcome {
            Outcome::Ignored => return,
            _ if is_stale => {
                let (failed, slow) = (u64::from(failed), u64::from(slow));
                let calls = 1;
                return self.window.disregard(Counts {
                    calls,
                    failed,
                    slow,
                });
            }
            Outcome::Success => {
                if self.consecutive.load(Ordering::Relaxed) != 0 {
                    self.consecutive.store(0, Ordering::Relaxed);
                }
            }
            Outcome::Failure => {
                self.consecutive.fetch_add(1, Ordering::Relaxed);
            }
        }
        if slow || failed {
            self.judge(gate, now);
        }
    }

    /// Opens if what was counted is enough.
    fn judge(&self, gate: u64, now: Instant) {
        if self.settings.enabled
            && let Some(reason) = self.verdict(now)
        {
            self.trip(gate, reason, now);
        }
    }

    /// What was counted within the window.
    fn within(&self, now: Instant) -> Counts {
        self.window.within(now, || self.record.counts())
    }

    fn trip(&self, gate: u64, reason: Reason, now: Instant) {
        let mut inner = self.lock();
        // Another call may have been first.
        let current = self.gate.load(Ordering::Acquire) >> 1 == gate >> 1;
        let counts = matches!(inner.phase, Phase::Closed | Phase::Ramp { .. });
        if current && counts && inner.forced.is_none() {
            self.open(&mut inner, reason, now);
        }
    }

    fn settle_probe(&self, probe: u64, slow: bool, outcome: Outcome, now: Instant) {
        let mut inner = self.lock();
        let current = matches!(inner.phase, Phase::HalfOpen { probe: Some(_) });
        if !current || inner.probes != probe || inner.forced.is_some() {
            return;
        }
        match outcome {
            Outcome::Ignored => inner.phase = Phase::HalfOpen { probe: None },
            Outcome::Success if !slow => {
                let phase = if self.settings.ramp.is_zero() {
                    inner.opened = 0;
                    Phase::Closed
                } else {
                    Phase::Ramp { since: now }
                };
                self.enter(&mut inner, phase, Reason::ProbeSucceeded);
            }
            Outcome::Success | Outcome::Failure => self.open(&mut inner, Reason::ProbeFailed, now),
        }
    }

    fn open(&self, inner: &mut Inner, reason: Reason, now: Instant) {
        let doublings = 1_u32.checked_shl(inner.opened).unwrap_or(u32::MAX);
        let time = self
            .settings
            .open_min
            .saturating_mul(doublings)
            .min(self.settings.open_max);
        // Up to half as long again: what opened together does not probe together.
        let time = time.mul_f64(1.0 + fastrand::f64() / 2.0);
        inner.opened = inner.opened.saturating_add(1).min(31);
        self.enter(inner, Phase::Open { until: now + time }, reason);
    }

    fn finish_ramp(&self, inner: &mut Inner, now: Instant) {
        if let Phase::Ramp { since } = inner.phase
            && now - since >= self.settings.ramp
        {
            inner.opened = 0;
            // The counts go on: the ramp's calls were calls as any other.
            inner.phase = Phase::Closed;
            self.announce(inner, State::Ramp, Reason::Recovered);
            self.gate.fetch_and(!GUARDED, Ordering::AcqRel);
        }
    }

    /// Changes the state, and begins counting anew.
    fn enter(&self, inner: &mut Inner, phase: Phase, reason: Reason) {
        let from = inner.state();
        self.change(inner, phase);
        self.announce(inner, from, reason);
    }

    fn change(&self, inner: &mut Inner, phase: Phase) {
        inner.phase = phase;
        self.consecutive.store(0, Ordering::Relaxed);
        self.window.clear(self.record.counts());
        let guarded = inner.state() != State::Closed;
        let generation = (self.gate.load(Ordering::Acquire) >> 1) + 1;
        self.gate.store(
            (generation << 1) | (u64::from(guarded) * GUARDED),
            Ordering::Release,
        );
    }

    fn announce(&self, inner: &mut Inner, from: State, reason: Reason) {
        inner.reason = reason;
        inner.since = std::time::SystemTime::now();
        (self.observer)(&Transition {
            from,
            to: inner.state(),
            reason,
        });
    }

    fn times_calls(&self) -> bool {
        !self.settings.slow_call.is_zero()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
