//! How many calls of a service to work on at the same time.
//!
//! Netflix's Gradient2: the limit follows how long calls take now in relation to
//! how long they took in the long run, and grows as long as they don't get slower.
//! A long-run average forgets: under lasting load the congestion that the limit
//! itself makes becomes what is normal. So the time in which guests were ready and
//! waited for a core is measured apart and kept out of the averages. It tells at
//! once, and without ever holding calls back in order to measure, how many guests
//! the cores can carry. A service that waits for others or for the store has none
//! of it, and is not limited by the cores.
//!
//! Only arithmetic: knows no clock, no pool, no instance.

use std::time::Duration;

/// No service whose calls have an instance each gains by more at a time.
pub(super) const MOST: u32 = 200;
/// Of how many calls one is a running one at least, whatever was measured.
const LEAST_RUNNING: f64 = 200.0;
/// Share of a step towards a new limit.
const SMOOTHING: f64 = 0.2;
/// The same where cores are short: that is counted, not guessed.
const SMOOTHING_COUNTED: f64 = 0.5;
/// Samples that the long run looks back on.
const LONG: f64 = 600.0;
/// Samples that only start the long run's average.
const WARM_UP: u32 = 10;
/// How much slower than in the long run is still no congestion.
const TOLERANCE: f64 = 1.5;
/// Guests for each core that is busy: while one hands over, the next computes.
const HEADROOM: f64 = 1.25;
/// Calls by which the limit tries to grow: congestion must show at more than one.
const SLACK: f64 = 4.0;
/// The same where cores are short.
const SLACK_COUNTED: f64 = 1.0;

/// What was seen in one window.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    /// How long a call had its instance, on average.
    pub(super) guest: Duration,
    /// For how much of it the guest was ready and waited for a core.
    pub(super) ready: Duration,
    /// Calls that were worked on at the same time, at most.
    pub(super) most: u32,
}

/// The state of the search.
#[derive(Debug)]
pub(super) struct Gradient {
    limit: f64,
    /// Seconds of a call in the long run, without waits for a core.
    long: f64,
    samples: u32,
}

impl Default for Gradient {
    fn default() -> Self {
        Self {
            // All there is room for: to come down to the cores takes half a second, but
            // calls that could run and are made to wait until a low start has grown
            // may be refused for nothing.
            limit: f64::INFINITY,
            long: 0.0,
            samples: 0,
        }
    }
}

impl Gradient {
    /// The limit after one more window; `ceiling` is what the pool has room for.
    pub(super) fn update(&mut self, sample: Sample, ceiling: u32) -> u32 {
        let guest = sample.guest.as_secs_f64().max(1e-9);
        let alone = (guest - sample.ready.as_secs_f64()).max(guest / LEAST_RUNNING);
        self.learn(alone);
        let (most, running) = (f64::from(sample.most), alone / guest);
        self.limit = self.limit.min(f64::from(ceiling));
        if most > 1.0 && HEADROOM * running < 1.0 {
            let carried = most * HEADROOM * running + SLACK_COUNTED;
            self.approach(carried, SMOOTHING_COUNTED);
        } else if most >= self.limit / 2.0 {
            // Who does not use what is allowed says nothing about it.
            let gradient = (TOLERANCE * self.long / alone).clamp(0.5, 1.0);
            self.approach(self.limit * gradient + SLACK, SMOOTHING);
        }
        self.limit = self.limit.min(f64::from(ceiling)).max(1.0);
        self.limit()
    }

    /// The limit; before the first window there is none.
    pub(super) fn limit(&self) -> u32 {
        // At least 1; too much becomes the most there is.
        self.limit as u32
    }

    /// Takes room that was added since `ceiling`: if the limit was that, nothing is known
    /// of more, and it begins anew with all there is room for.
    pub(super) fn widen(&mut self, ceiling: u32) -> u32 {
        if self.limit >= f64::from(ceiling) {
            self.limit = f64::INFINITY;
        }
        self.limit()
    }

    fn approach(&mut self, next: f64, share: f64) {
        self.limit += (next - self.limit) * share;
    }

    fn learn(&mut self, alone: f64) {
        self.samples = self.samples.saturating_add(1);
        let share = if self.samples <= WARM_UP {
            1.0 / f64::from(self.samples)
        } else {
            2.0 / (LONG + 1.0)
        };
        self.long += (alone - self.long) * share;
        // After a slow time the average must not allow for one much longer.
        if self.long > 2.0 * alone {
            self.long *= 0.95;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A service whose calls compute and wait for given milliseconds, on `cores`
    /// cores, with more clients than it can serve.
    struct Service {
        cores: f64,
        compute: f64,
        wait: f64,
    }

    impl Service {
        fn sample(&self, limit: u32) -> Sample {
            let limit = f64::from(limit);
            let alone = self.compute + self.wait;
            // Either its calls end as fast as they can, or the cores are its pace.
            let guest = alone.max(limit * self.compute / self.cores);
            Sample {
                guest: Duration::from_secs_f64(guest / 1e3),
                ready: Duration::from_secs_f64((guest - alone) / 1e3),
                most: limit as u32,
            }
        }

        fn run(&self, gradient: &mut Gradient, windows: u32) -> u32 {
            self.run_in(MOST, gradient, windows)
        }

        /// In a pool with room for `ceiling` calls.
        fn run_in(&self, ceiling: u32, gradient: &mut Gradient, windows: u32) -> u32 {
            (0..windows).fold(gradient.limit().min(ceiling), |limit, _| {
                gradient.update(self.sample(limit), ceiling)
            })
        }
    }

    #[test]
    fn a_service_that_computes_comes_down_to_the_cores_at_once_and_stays() {
        for cores in [1.0, 2.0, 8.0] {
            let service = Service {
                cores,
                compute: 10.0,
                wait: 0.0,
            };
            let mut gradient = Gradient::default();
            for windows in [10, 10_000] {
                let limit = f64::from(service.run(&mut gradient, windows));
                assert!(
                    (cores..=HEADROOM * cores + 2.0).contains(&limit),
                    "{limit} for {cores} cores after {windows}"
                );
            }
        }
    }

    #[test]
    fn a_service_that_waits_has_all_that_its_pool_has() {
        let service = Service {
            cores: 2.0,
            compute: 0.01,
            wait: 50.0,
        };
        let mut gradient = Gradient::default();
        for windows in [1, 10, 10_000] {
            assert_eq!(service.run(&mut gradient, windows), 200);
        }
        let mut gradient = Gradient::default();
        for windows in [1, 10, 10_000] {
            assert_eq!(service.run_in(5_000, &mut gradient, windows), 5_000);
        }
    }

    #[test]
    fn a_service_that_does_both_gets_what_keeps_the_cores_busy() {
        let service = Service {
            cores: 2.0,
            compute: 10.0,
            wait: 40.0,
        };
        let limit = service.run(&mut Gradient::default(), 200);
        assert!((10..=16).contains(&limit), "{limit}");
    }

    #[test]
    fn it_recovers_when_what_it_waits_for_is_fast_again() {
        let wait = |wait| Service {
            cores: 2.0,
            compute: 0.01,
            wait,
        };
        let mut gradient = Gradient::default();
        wait(10.0).run(&mut gradient, 200);
        let slow = wait(100.0).run(&mut gradient, 30);
        assert!((5..=20).contains(&slow), "it backs off: {slow}");
        assert!(wait(10.0).run(&mut gradient, 300) >= 150, "{gradient:?}");
    }

    #[test]
    fn it_does_not_grow_by_what_is_not_used() {
        let mut gradient = Gradient::default();
        let sample = Sample {
            guest: Duration::from_millis(5),
            ready: Duration::ZERO,
            most: 9,
        };
        assert_eq!(gradient.update(sample, 20), 20);
        for _ in 0..100 {
            assert_eq!(gradient.update(sample, 200), 20);
        }
    }

    #[test]
    fn room_that_is_added_is_used_unless_the_limit_was_lower() {
        let waiting = Service {
            cores: 1.0,
            compute: 0.1,
            wait: 100.0,
        };
        let mut gradient = Gradient::default();
        waiting.run_in(1, &mut gradient, 50);
        assert!(gradient.limit() <= 2, "{}", gradient.limit());
        assert!(gradient.widen(1) > 10);
        let computing = Service {
            cores: 1.0,
            compute: 10.0,
            wait: 0.0,
        };
        let limit = computing.run(&mut gradient, 50);
        assert!(limit < 10, "{limit}");
        assert_eq!(gradient.widen(MOST), limit);
    }

    proptest! {
        #[test]
        fn it_is_never_below_one_nor_above_its_ceiling(
            ceiling in 1_u32..300,
            samples in proptest::collection::vec((0_u64..10_000_000, 0_u64..20_000_000, 0_u32..400), 1..200),
        ) {
            let mut gradient = Gradient::default();
            for (guest, ready, most) in samples {
                let sample = Sample {
                    guest: Duration::from_micros(guest),
                    ready: Duration::from_micros(ready),
                    most,
                };
                let limit = gradient.update(sample, ceiling);
                prop_assert!((1..=ceiling).contains(&limit));
            }
        }
    }
}
