//! How many calls a queue may hold: those that can still be served in time.
//!
//! While calls wait, it counts how fast they are taken. As many may wait as are taken
//! before the patience of a call ends. As long as no more come than that, nobody is
//! refused: clients that each wait for their answer stand in the queue for ever, and
//! each is served. When more come, they come faster than they are served. Then a long
//! queue only makes every answer late, and as many may wait as are taken within the
//! target, until nobody has had to be refused for a while.
//!
//! Knows no calls, only times and numbers, which it is told.

use std::time::{Duration, Instant};

/// How long calls are counted at least …
const WINDOW: Duration = Duration::from_millis(250);
/// … and how many: instances whose calls end together must not look like a slow one.
const CALLS: u32 = 10;
/// Share of the target that is used: what is left is for a service that gets slower.
const USED: f64 = 0.75;
/// How long nobody was refused when overload is over.
const CALM: Duration = Duration::from_secs(1);
/// How long the first overload lasts at most. Clients that come again at once look as if
/// they were many: then all may wait again, and it shows how many there are.
const FIRST: Duration = Duration::from_secs(60);
/// Each further one lasts twice as long, but no longer than this.
const LONGEST: Duration = Duration::from_secs(600);

/// What one queue has to bear.
#[derive(Debug)]
pub(super) struct Pressure {
    target: Duration,
    patience: Duration,
    began: Option<Instant>,
    taken: u32,
    /// Calls taken in a second of each of the last two windows; 0 is not known.
    rates: [f64; 2],
    over: Option<Overload>,
    /// How long the next overload lasts at most.
    hold: Duration,
}

/// More calls come than are served.
#[derive(Debug)]
struct Overload {
    refused: Instant,
    ends: Instant,
}

impl Pressure {
    /// Of a queue in which a call may wait for `patience`, and for `target` when more
    /// come than are served.
    pub(super) fn new(target: Duration, patience: Duration) -> Self {
        Self {
            target,
            patience,
            began: None,
            taken: 0,
            rates: [0.0; 2],
            over: None,
            hold: FIRST,
        }
    }

    /// How many calls may wait at the most; `None` as long as nothing is known.
    pub(super) fn bound(&mut self, now: Instant) -> Option<usize> {
        let within = match self.is_over(now) {
            true => self.target.as_secs_f64() * USED,
            false => self.patience.as_secs_f64(),
        };
        // One waits, so that its place is never nobody's. Too much becomes the most there is.
        self.rate().map(|rate| ((rate * within) as usize).max(1))
    }

    /// How long a call waits that has so many before it; `None` as long as that is not
    /// known.
    pub(super) fn wait(&self, before: usize) -> Option<Duration> {
        let seconds = before as f64 / self.rate()?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// Notes that there were more calls than may wait.
    pub(super) fn refused(&mut self, now: Instant) {
        if self.is_over(now)
            && let Some(over) = &mut self.over
        {
            over.refused = now;
            return;
        }
        self.over = Some(Overload {
            refused: now,
            ends: now + self.hold,
        });
        self.hold = (self.hold * 2).min(LONGEST);
    }

    /// Notes that calls wait from now on.
    pub(super) fn waits(&mut self, now: Instant) {
        self.began.get_or_insert(now);
    }

    /// Notes that a call was taken.
    pub(super) fn taken(&mut self, now: Instant) {
        self.taken += 1;
        let lasted = now - *self.began.get_or_insert(now);
        if lasted >= WINDOW && self.taken >= CALLS {
            self.rates = [self.rates[1], f64::from(self.taken) / lasted.as_secs_f64()];
            (self.began, self.taken) = (Some(now), 0);
        }
    }

    /// Notes that nobody waits any more: how fast calls were taken will not be how fast
    /// they are.
    pub(super) fn empty(&mut self, now: Instant) {
        (self.began, self.taken) = (None, 0);
        if !self.is_over(now) {
            (self.rates, self.hold) = ([0.0; 2], FIRST);
        }
    }

    /// Whether more come than are served.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        if let Some(over) = &self.over {
            if now >= over.refused + CALM {
                (self.over, self.hold) = (None, FIRST);
            } else if now >= over.ends {
                self.over = None;
            }
        }
        self.over.is_some()
    }

    /// Calls taken in a second, by the better of two windows: refused is what can't be.
    fn rate(&self) -> Option<f64> {
        let [before, last] = self.rates;
        (before > 0.0 && last > 0.0).then(|| before.max(last))
    }
}
