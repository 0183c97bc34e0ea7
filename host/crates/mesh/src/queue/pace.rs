//! How many deliveries may begin: a bucket that fills steadily.

use std::time::Duration;

use tokio::time::Instant;

use stoa_settings::Rate;

/// Deliveries that may begin at a time (GCRA: the time at which the bucket would be full).
#[derive(Debug)]
pub(super) struct Pace {
    full_at: Instant,
}

impl Pace {
    /// A full bucket.
    pub(super) fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// How many of `wanted` may begin now, or when the next may.
    pub(super) fn allows(
        &self,
        rate: Option<&Rate>,
        wanted: usize,
        now: Instant,
    ) -> Result<usize, Instant> {
        let Some(rate) = rate else { return Ok(wanted) };
        let burst = interval(rate).saturating_mul(rate.burst().get());
        let used = self.full_at.saturating_duration_since(now);
        let room = burst.saturating_sub(used).as_nanos() / interval(rate).as_nanos().max(1);
        match usize::try_from(room).unwrap_or(usize::MAX).min(wanted) {
            0 => Err(self.full_at - burst + interval(rate)),
            some => Ok(some),
        }
    }

    /// Counts deliveries that began.
    pub(super) fn began(&mut self, rate: Option<&Rate>, count: usize, now: Instant) {
        if let Some(rate) = rate {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.full_at = self.full_at.max(now) + interval(rate).saturating_mul(count);
        }
    }
}

fn interval(rate: &Rate) -> Duration {
    rate.interval().max(Duration::from_nanos(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_an_interval() {
        let rate = Rate::each(10.try_into().unwrap(), Duration::from_secs(1));
        let rate = Some(&rate);
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.allows(None, 99, start), Ok(99));
        assert_eq!(pace.allows(rate, 99, start), Ok(10));
        pace.began(rate, 10, start);
        let next = start + Duration::from_millis(100);
        assert_eq!(pace.allows(rate, 1, start), Err(next));
        assert_eq!(pace.allows(rate, 5, next), Ok(1));
        pace.began(rate, 1, next);
        assert!(pace.allows(rate, 1, next).is_err());
        let later = start + Duration::from_secs(60);
        assert_eq!(pace.allows(rate, 99, later), Ok(10));
    }
}
