//! Controlled delay: tells a burst, which a queue is for, from a queue that stands,
//! which only makes every call late.
//!
//! After CoDel (RFC 8289), with what servers make of it: a queue whose oldest call
//! has waited longer than the target at every turn of an interval, and that has not
//! become shorter meanwhile, is overload. Then calls that have waited for twice the
//! target are given up, and the newest is served first: its caller is the one who
//! still waits. Knows no calls, only times and numbers, which it is told.

use std::time::{Duration, Instant};

/// How long a queue must stand at least to be no burst. CoDel's own.
const INTERVAL: Duration = Duration::from_millis(100);
/// Calls of the service that fit into an interval at least. As a packet does on a
/// slow line, a long call makes others wait without any overload.
const CALLS_AN_INTERVAL: u32 = 10;

/// What a turn found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// Oldest first, and all are served.
    Calm,
    /// Newest first; who has waited longer than `patience` is given up.
    Over {
        /// Twice the target.
        patience: Duration,
    },
}

/// The state of one queue.
#[derive(Debug)]
pub(super) struct CoDel {
    target: Duration,
    /// Since when the oldest call was above the target at each turn, and how many
    /// waited then.
    standing: Option<(Instant, usize)>,
    /// When it was overload last.
    over: Option<Instant>,
}

impl CoDel {
    /// For a queue that should not be longer than `target`.
    pub(super) fn new(target: Duration) -> Self {
        Self {
            target,
            standing: None,
            over: None,
        }
    }

    /// Notes a turn of the queue: of the `waiting` calls the oldest has waited for
    /// `oldest`, and a call takes about `pace`.
    pub(super) fn turn(
        &mut self,
        now: Instant,
        waiting: usize,
        oldest: Duration,
        pace: Duration,
    ) -> Load {
        let target = self.target.max(pace);
        if oldest <= target {
            self.standing = None;
            return Load::Calm;
        }
        let interval = INTERVAL.max(target.saturating_mul(CALLS_AN_INTERVAL));
        let stands = self.stands(now, waiting, interval);
        // What was overload a moment ago needs no second proof.
        let again = self.over.is_some_and(|over| now - over < interval);
        if !stands && !again {
            return Load::Calm;
        }
        self.over = Some(now);
        Load::Over {
            patience: target.saturating_mul(2),
        }
    }

    /// Whether the queue has stood for an interval. One that has lost an eighth is a
    /// burst that drains, and is looked at for another interval.
    fn stands(&mut self, now: Instant, waiting: usize, interval: Duration) -> bool {
        let (since, before) = *self.standing.get_or_insert((now, waiting));
        if now - since < interval {
            return false;
        }
        let drains = waiting * 8 <= before * 7;
        if drains {
            self.standing = Some((now, waiting));
        }
        !drains
    }

    /// Notes that the queue is empty.
    pub(super) fn empty(&mut self) {
        self.standing = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Duration = Duration::from_millis(5);
    const QUICK: Duration = Duration::from_micros(100);
    const OVER: Load = Load::Over {
        patience: Duration::from_millis(10),
    };

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_is_no_overload() {
        let (mut codel, start) = (CoDel::new(TARGET), Instant::now());
        for round in 0..20 {
            let begun = start + ms(round * 200);
            for at in 0..90 {
                assert_eq!(codel.turn(begun + ms(at), 9, ms(50), QUICK), Load::Calm);
            }
            codel.empty();
        }
    }

    #[test]
    fn a_queue_that_stands_for_an_interval_is_overload_until_it_does_not() {
        let (mut codel, start) = (CoDel::new(TARGET), Instant::now());
        assert_eq!(codel.turn(start, 9, ms(6), QUICK), Load::Calm);
        assert_eq!(codel.turn(start + ms(99), 9, ms(60), QUICK), Load::Calm);
        assert_eq!(codel.turn(start + ms(100), 9, ms(60), QUICK), OVER);
        assert_eq!(codel.turn(start + ms(101), 9, ms(6), QUICK), OVER);
        assert_eq!(codel.turn(start + ms(102), 9, ms(5), QUICK), Load::Calm);
    }

    #[test]
    fn overload_that_comes_back_at_once_needs_no_second_proof() {
        let (mut codel, start) = (CoDel::new(TARGET), Instant::now());
        codel.turn(start, 9, ms(6), QUICK);
        assert_eq!(codel.turn(start + ms(100), 9, ms(9), QUICK), OVER);
        codel.empty();
        assert_eq!(codel.turn(start + ms(150), 9, ms(6), QUICK), OVER);
        codel.empty();
        assert_eq!(codel.turn(start + ms(400), 9, ms(6), QUICK), Load::Calm);
    }

    #[test]
    fn a_long_burst_that_drains_is_no_overload() {
        let (mut codel, start) = (CoDel::new(TARGET), Instant::now());
        for gone in 0..100 {
            let turn = codel.turn(start + ms(5 * gone as u64), 100 - gone, ms(500), QUICK);
            assert_eq!(turn, Load::Calm, "{gone}");
        }
    }

    #[test]
    fn a_slow_service_may_have_a_slow_queue() {
        let (mut codel, start) = (CoDel::new(TARGET), Instant::now());
        let pace = ms(150);
        for at in [0, 150, 300, 450, 600, 750] {
            assert_eq!(codel.turn(start + ms(at), 9, ms(at), pace), Load::Calm);
        }
        let late = codel.turn(start + ms(1_800), 9, ms(400), pace);
        assert_eq!(late, Load::Over { patience: ms(300) });
    }

    #[test]
    fn without_a_target_there_is_no_overload() {
        let (mut codel, start) = (CoDel::new(Duration::MAX), Instant::now());
        for at in 0..1000 {
            assert_eq!(codel.turn(start + ms(at), 9, ms(at), QUICK), Load::Calm);
        }
    }
}
