//! Whether a new revision is clearly worse than the one before.
//!
//! Both questions are about a share: of failed calls, and of calls that are slower
//! than the old revision's slowest tenth by some factor. A share that was measured
//! is known to within an interval (Wilson's, good for small numbers too); "clearly"
//! is when the intervals do not touch. The question is asked each second, so the
//! intervals are wide: 99.9 %.
//!
//! Pure arithmetic: knows nothing of where numbers come from.

use stoa_mesh::record::{Numbers, bounds};
use stoa_settings::Rollout;

/// Half the width of a 99.9 % interval, in standard deviations.
const Z: f64 = 3.29;
/// The share of calls that are slower than the compared quantile.
const TAIL: f64 = 0.1;
/// Nobody notices less, in nanoseconds: there the machine's noise would decide.
const NOTICEABLE: u64 = 5_000_000;

/// Why `new` is clearly worse than `old`, if it is.
pub(super) fn worse(new: &Numbers, old: &Numbers, settings: &Rollout) -> Option<String> {
    if new.calls < u64::from(settings.min_calls) {
        return None;
    }
    errors(new, old, settings).or_else(|| latency(new, old, settings))
}

/// Whether there are failures, and too few calls to tell whether they are many: no time
/// to give it more traffic.
pub(super) fn is_open(new: &Numbers, settings: &Rollout) -> bool {
    new.failed > 0 && new.calls < u64::from(settings.min_calls)
}

fn errors(new: &Numbers, old: &Numbers, settings: &Rollout) -> Option<String> {
    let (at_least, _) = interval(new.failed, new.calls);
    // Without numbers of the old one, only what is borne in any case counts.
    let (_, before) = match old.calls {
        0 => (0.0, 0.0),
        calls => interval(old.failed, calls),
    };
    (at_least > settings.max_error_ratio.max(before)).then(|| {
        format!(
            "{} of its {} calls failed, {} of {} before",
            new.failed, new.calls, old.failed, old.calls
        )
    })
}

fn latency(new: &Numbers, old: &Numbers, settings: &Rollout) -> Option<String> {
    if old.calls < u64::from(settings.min_calls) {
        return None;
    }
    let usual = quantile(&old.latency)?;
    let borne = (usual as f64 * settings.max_latency_ratio).max(NOTICEABLE as f64);
    let limit = bounds().iter().position(|bound| *bound as f64 >= borne)?;
    let slower: u64 = new.latency.iter().skip(limit + 1).sum();
    let (at_least, _) = interval(slower, new.calls);
    (at_least > TAIL).then(|| {
        let ms = |nanos: u64| nanos as f64 / 1e6;
        format!(
            "{slower} of its {} calls took more than {} ms; before, nine of ten took {} ms at most",
            new.calls,
            ms(bounds()[limit]),
            ms(usual)
        )
    })
}

/// The bound below which all but a tenth of the calls are.
fn quantile(latency: &[u64]) -> Option<u64> {
    let calls: u64 = latency.iter().sum();
    let wanted = calls as f64 * (1.0 - TAIL);
    let mut sum = 0;
    let place = latency.iter().position(|count| {
        sum += count;
        sum as f64 >= wanted
    })?;
    bounds().get(place).copied()
}

/// Wilson's interval of a share: where it truly is, given what was seen.
fn interval(part: u64, whole: u64) -> (f64, f64) {
    let (n, share) = (whole as f64, part as f64 / whole as f64);
    let (z2, scale) = (Z * Z, 1.0 + Z * Z / n);
    let middle = (share + z2 / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Calls with their latency in milliseconds, all alike.
    fn numbers(calls: u64, failed: u64, ms: u64) -> Numbers {
        let mut latency = vec![0; bounds().len() + 1];
        latency[bounds().partition_point(|bound| *bound < ms * 1_000_000)] = calls;
        Numbers {
            calls,
            failed,
            latency,
        }
    }

    fn verdict(new: Numbers, old: Numbers) -> Option<String> {
        worse(&new, &old, &Rollout::default())
    }

    #[test]
    fn a_revision_that_only_fails_is_worse_after_the_least_number_of_calls() {
        assert_eq!(verdict(numbers(19, 19, 1), numbers(1000, 0, 1)), None);
        let reason = verdict(numbers(20, 20, 1), numbers(1000, 0, 1)).unwrap();
        assert!(
            reason.contains("20 of its 20 calls failed, 0 of 1000 before"),
            "{reason}"
        );
        assert!(verdict(numbers(20, 20, 1), Numbers::default()).is_some());
    }

    #[test]
    fn what_chance_explains_is_borne() {
        // One of 50 where 5 of 1000 failed before; three of 100 where 2 % did.
        assert_eq!(verdict(numbers(50, 1, 1), numbers(1000, 5, 1)), None);
        assert_eq!(verdict(numbers(100, 3, 1), numbers(10_000, 200, 1)), None);
        assert_eq!(
            verdict(numbers(1000, 1000, 1), numbers(1000, 1000, 1)),
            None
        );
    }

    #[test]
    fn a_rate_that_is_clearly_higher_is_worse() {
        assert!(verdict(numbers(1000, 80, 1), numbers(10_000, 200, 1)).is_some());
    }

    #[test]
    fn slower_calls_are_worse_beyond_the_factor() {
        assert!(verdict(numbers(100, 0, 250), numbers(1000, 0, 25)).is_some());
        assert_eq!(verdict(numbers(100, 0, 50), numbers(1000, 0, 25)), None);
        assert_eq!(
            verdict(numbers(100, 0, 4), numbers(1000, 0, 1)),
            None,
            "unnoticed"
        );
        assert_eq!(verdict(numbers(100, 0, 250), Numbers::default()), None);
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_share(part in 0..1000_u64, more in 0..1000_u64) {
            let whole = part + more + 1;
            let (low, high) = interval(part, whole);
            let share = part as f64 / whole as f64;
            prop_assert!(0.0 <= low && low <= share + 1e-9 && share <= high + 1e-9 && high <= 1.0);
        }

        #[test]
        fn a_revision_like_the_old_one_stays(calls in 20..5000_u64, failed in 0..20_u64, ms in 1..2000_u64) {
            let same = numbers(calls, failed, ms);
            prop_assert_eq!(verdict(same.clone(), same), None);
        }
    }
}
