//! What each request may meet with, and the log tells once in a while only: who sends
//! requests must not fill it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::lock;

/// Often enough to find it in the log, seldom enough to find other things there.
const EVERY: Duration = Duration::from_secs(1);

/// When something was last told.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    /// Not told yet.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Whether it is to be told now; it is told then.
    pub fn is_due(&self) -> bool {
        self.is_due_at(Instant::now())
    }

    fn is_due_at(&self, now: Instant) -> bool {
        let mut last = lock(&self.0);
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= EVERY);
        if due {
            *last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_times_a_second_is_told_once() {
        let (seldom, begun) = (Seldom::new(), Instant::now());
        let times = (0..3000).map(|millis| begun + Duration::from_millis(millis));
        let told = times.filter(|now| seldom.is_due_at(*now)).count();
        assert_eq!(told, 3);
    }
}
