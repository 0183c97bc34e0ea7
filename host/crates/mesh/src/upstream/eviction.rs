//! How many leases that are over end at a time.
//!
//! A network fault between the host and its upstreams looks like the death of all
//! of them. So at most 15 % are evicted a sweep, and none when nobody renews:
//! then the last known good instances are kept, and said to be stale.

use std::time::Duration;

/// Time between two sweeps: that between two heartbeats.
pub const SWEEP: Duration = Duration::from_secs(5);
/// Per cent of an upstream's leases that one sweep ends at most, at least one.
const CAP: usize = 15;
/// How long the last known good is kept when nobody renews. By then it is a
/// decommissioned service and no fault of the network.
const STALE: Duration = Duration::from_secs(3600);

/// What to do with the leases of an upstream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many to evict, the longest overdue first.
    pub evict: usize,
    /// How long the youngest lease has been over, where all are, and are kept.
    pub stale: Option<Duration>,
}

/// Judges leases, each by how long it has been over, if it is.
pub fn verdict(leases: &[Option<Duration>]) -> Verdict {
    let overdue = leases.iter().flatten().count();
    if overdue == 0 {
        return Verdict::default();
    }
    let youngest = leases.iter().flatten().min().copied().unwrap_or_default();
    if overdue == leases.len() && youngest < STALE {
        return Verdict {
            evict: 0,
            stale: Some(youngest),
        };
    }
    Verdict {
        evict: overdue.min((leases.len() * CAP / 100).max(1)),
        stale: None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_more_than_the_cap_and_never_more_than_are_over(
            leases in proptest::collection::vec(proptest::option::of(1_u64..7200), 0..200)
        ) {
            let leases: Vec<_> = leases.into_iter().map(|over| over.map(Duration::from_secs)).collect();
            let verdict = verdict(&leases);
            let overdue = leases.iter().flatten().count();
            prop_assert!(verdict.evict <= overdue);
            prop_assert!(verdict.evict <= (leases.len() * 15 / 100).max(1));
            if overdue > 0 && overdue < leases.len() {
                prop_assert!(verdict.evict >= 1, "what is over ends some time");
                prop_assert_eq!(verdict.stale, None);
            }
            if verdict.stale.is_some() {
                prop_assert_eq!(verdict.evict, 0);
            }
        }
    }
}
