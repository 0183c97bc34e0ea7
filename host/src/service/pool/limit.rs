//! What a service has learned of its calls: how many to work on at a time, how long
//! one takes, how many end in a second.
//!
//! The pools of all its revisions share it, so that a new revision begins with
//! what is known; each keeps the limit by itself. A pool notes its calls under the
//! lock that it holds anyway; once in a while that becomes a [`Sample`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::gradient::{Gradient, Sample};

/// The shortest window: many calls, also of those that take long.
const WINDOW: Duration = Duration::from_millis(100);
/// Calls of a window at least …
const CALLS: u32 = 10;
/// … unless it lasts this long.
const LONGEST: Duration = Duration::from_secs(1);
/// Calls a second beyond which not each is timed.
const OFTEN: f64 = 2_000.0;
/// Of so many calls one is timed then.
const STRIDE: u32 = 16;
/// How much of a new window goes into the averages.
const SHARE: f64 = 0.3;
/// The most that a client is asked to wait: the estimate is of now.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// The limiters of all services that have a revision in memory.
#[derive(Default)]
pub struct Limiters(Mutex<HashMap<Arc<str>, Weak<Limiter>>>);

impl Limiters {
    /// The limiter of a service: what its other revisions have learned, or a new one.
    pub fn of(&self, service: &Arc<str>) -> Arc<Limiter> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limiter) = known.get(service).and_then(Weak::upgrade) {
            return limiter;
        }
        known.retain(|_, limiter| limiter.strong_count() > 0);
        let limiter = Arc::default();
        known.insert(service.clone(), Arc::downgrade(&limiter));
        limiter
    }
}

/// What a service has learned of its calls.
#[derive(Default)]
pub struct Limiter {
    gradient: Mutex<Gradient>,
    /// The gradient's limit; 0 before it has one.
    limit: AtomicU32,
    /// Nanoseconds of a call, without waits for a core.
    pace: AtomicU64,
    /// Calls that end in 1000 s.
    rate: AtomicU64,
    /// Of so many calls one is timed; 0 is 1.
    stride: AtomicU32,
    /// Calls at a time that there is room for, by the newest pool; 0 before there is one.
    ceiling: AtomicU32,
}

impl Limiter {
    /// How many calls to work on at the same time.
    pub(super) fn limit(&self) -> u32 {
        match self.limit.load(Ordering::Relaxed) {
            0 => self.gradient().limit(),
            limit => limit,
        }
    }

    /// How long a call takes when it has a core; zero before any has ended.
    pub(super) fn pace(&self) -> Duration {
        Duration::from_nanos(self.pace.load(Ordering::Relaxed))
    }

    /// Whether call number `call` is to be timed.
    pub(super) fn times(&self, call: u64) -> bool {
        call.is_multiple_of(u64::from(self.stride()))
    }

    /// When a call that finds `queued` before it is worth another try: at the
    /// pace at which calls end now. At least a second, as clients know no less; no
    /// more while the pace is not known.
    pub(super) fn retry_after(&self, queued: u32) -> Duration {
        let rate = self.rate.load(Ordering::Relaxed) as f64 / 1e3;
        if rate == 0.0 {
            return Duration::from_secs(1);
        }
        let wait = f64::from(queued) / rate.max(0.001);
        let seconds = wait.ceil().clamp(1.0, LONGEST_RETRY.as_secs_f64());
        Duration::from_secs(seconds as u64)
    }

    /// Takes note that there is room for `ceiling` calls at a time from now on.
    pub(super) fn has_room_for(&self, ceiling: u32) {
        let before = self.ceiling.swap(ceiling, Ordering::Relaxed);
        if before > 0 && ceiling > before {
            let limit = self.gradient().widen(before);
            self.limit.store(limit, Ordering::Relaxed);
        }
    }

    fn stride(&self) -> u32 {
        self.stride.load(Ordering::Relaxed).max(1)
    }

    fn learn(&self, sample: Sample, rate: f64, ceiling: u32) {
        let limit = self.gradient().update(sample, ceiling);
        self.limit.store(limit, Ordering::Relaxed);
        let alone = sample.guest.saturating_sub(sample.ready);
        blend(&self.pace, alone.as_nanos() as f64);
        blend(&self.rate, rate * 1e3);
        let stride = if rate > OFTEN { STRIDE } else { 1 };
        self.stride.store(stride, Ordering::Relaxed);
    }

    fn gradient(&self) -> std::sync::MutexGuard<'_, Gradient> {
        self.gradient.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves an average towards `value`. Of two at the same moment one may be lost.
fn blend(average: &AtomicU64, value: f64) {
    let before = average.load(Ordering::Relaxed) as f64;
    let share = if before == 0.0 { 1.0 } else { SHARE };
    average.store(
        (before + (value - before) * share) as u64,
        Ordering::Relaxed,
    );
}

/// How long one call had its instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    /// From begin to end.
    pub(super) guest: Duration,
    /// For how much of it the guest was ready and waited for a core.
    pub(super) ready: Duration,
}

/// The window that a pool is in.
pub(super) struct Tally {
    began: Option<Instant>,
    calls: u32,
    guest: Duration,
    ready: Duration,
    most: u32,
}

impl Tally {
    /// Nothing noted.
    pub(super) fn new() -> Self {
        Self {
            began: None,
            calls: 0,
            guest: Duration::ZERO,
            ready: Duration::ZERO,
            most: 0,
        }
    }

    /// Notes that so many calls are worked on.
    pub(super) fn busy(&mut self, busy: u32) {
        self.most = self.most.max(busy);
    }

    /// Notes a call that ends now, with `busy` still under way; `ceiling` is what
    /// the pool has room for.
    pub(super) fn ended(
        &mut self,
        spent: Spent,
        now: Instant,
        busy: u32,
        ceiling: u32,
        limiter: &Limiter,
    ) {
        let began = *self.began.get_or_insert(now - spent.guest.min(LONGEST));
        self.calls += 1;
        self.guest += spent.guest;
        self.ready += spent.ready;
        let took = now - began;
        if took < WINDOW || (self.calls < CALLS && took < LONGEST) {
            return;
        }
        let sample = Sample {
            guest: self.guest / self.calls,
            ready: self.ready / self.calls,
            most: self.most,
        };
        let calls = f64::from(self.calls * limiter.stride());
        limiter.learn(sample, calls / took.as_secs_f64(), ceiling);
        *self = Self {
            began: Some(now),
            most: busy,
            ..Self::new()
        };
    }

    /// How long a call takes, as far as this window knows it.
    pub(super) fn pace(&self, limiter: &Limiter) -> Duration {
        match limiter.pace() {
            Duration::ZERO if self.calls > 0 => self.guest.saturating_sub(self.ready) / self.calls,
            pace => pace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(millis: u64) -> Spent {
        Spent {
            guest: Duration::from_millis(millis),
            ready: Duration::ZERO,
        }
    }

    #[test]
    fn windows_become_pace_rate_and_limit() {
        let (limiter, mut tally) = (Limiter::default(), Tally::new());
        assert_eq!(limiter.limit(), u32::MAX, "nothing is known");
        assert_eq!(tally.pace(&limiter), Duration::ZERO);
        let start = Instant::now();
        for call in 1..=50 {
            tally.busy(20);
            let now = start + Duration::from_millis(call * 10);
            tally.ended(spent(8), now, 19, 64, &limiter);
        }
        assert_eq!(tally.pace(&limiter), Duration::from_millis(8));
        assert_eq!(limiter.limit(), 64, "as much as there is room for");
        // A hundred a second.
        assert_eq!(limiter.retry_after(10), Duration::from_secs(1));
        assert_eq!(limiter.retry_after(1_000).as_secs(), 10);
        assert_eq!(limiter.retry_after(1_000_000), LONGEST_RETRY);
    }

    #[test]
    fn the_first_call_tells_the_pace() {
        let (limiter, mut tally) = (Limiter::default(), Tally::new());
        assert_eq!(limiter.retry_after(1_000), Duration::from_secs(1));
        tally.ended(spent(150), Instant::now(), 0, 64, &limiter);
        assert_eq!(tally.pace(&limiter), Duration::from_millis(150));
    }

    #[test]
    fn waits_for_a_core_are_no_part_of_the_pace() {
        let (limiter, mut tally) = (Limiter::default(), Tally::new());
        let slow = Spent {
            guest: Duration::from_millis(20),
            ready: Duration::from_millis(15),
        };
        let start = Instant::now();
        tally.ended(slow, start, 3, 64, &limiter);
        assert_eq!(tally.pace(&limiter), Duration::from_millis(5));
        for call in 1..=20 {
            tally.ended(
                slow,
                start + Duration::from_millis(call * 20),
                3,
                64,
                &limiter,
            );
        }
        assert_eq!(limiter.pace(), Duration::from_millis(5));
    }

    #[test]
    fn of_very_many_calls_some_are_timed() {
        let (limiter, mut tally) = (Limiter::default(), Tally::new());
        assert!((0..100).all(|call| limiter.times(call)));
        let start = Instant::now();
        for call in 1..=2_000 {
            let now = start + Duration::from_micros(call * 100);
            tally.ended(spent(0), now, 1, 64, &limiter);
        }
        assert_eq!((0..160).filter(|call| limiter.times(*call)).count(), 10);
    }

    #[test]
    fn a_larger_pool_begins_anew_where_the_smaller_was_the_limit() {
        let (limiter, mut tally) = (Limiter::default(), Tally::new());
        limiter.has_room_for(1);
        let mut now = Instant::now();
        for _ in 0..40 {
            now += Duration::from_millis(100);
            tally.ended(spent(100), now, 1, 1, &limiter);
        }
        assert_eq!(limiter.limit(), 1);
        limiter.has_room_for(1);
        assert_eq!(limiter.limit(), 1, "as much as before");
        limiter.has_room_for(64);
        assert!(limiter.limit() >= 64, "{}", limiter.limit());
    }
}
