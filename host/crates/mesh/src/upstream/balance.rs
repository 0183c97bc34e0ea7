//! Who gets the next request: the less loaded of two that are drawn by lot.
//!
//! "Power of two choices": nearly as even as asking all, at a constant price, and
//! no instance is the best of all for every caller at once.

use std::sync::Arc;

use super::instance::Instance;

/// Draws before all are looked at, for upstreams that are mostly down.
const DRAWS: usize = 4;

/// An instance that is `usable`, or none if none is.
pub fn pick(
    instances: &[Arc<Instance>],
    usable: impl Fn(&Instance) -> bool,
) -> Option<&Arc<Instance>> {
    let first = draw(instances, &usable)?;
    let second = draw(instances, &usable)?;
    Some(if load(second) < load(first) {
        second
    } else {
        first
    })
}

fn draw<'i>(
    instances: &'i [Arc<Instance>],
    usable: &impl Fn(&Instance) -> bool,
) -> Option<&'i Arc<Instance>> {
    if instances.is_empty() {
        return None;
    }
    for _ in 0..DRAWS {
        let instance = &instances[fastrand::usize(..instances.len())];
        if usable(instance) {
            return Some(instance);
        }
    }
    let usable: Vec<_> = instances.iter().filter(|one| usable(one)).collect();
    (!usable.is_empty()).then(|| usable[fastrand::usize(..usable.len())])
}

/// Requests per weight, as this one would make it.
fn load(instance: &Instance) -> f64 {
    f64::from(instance.in_flight() + 1) / f64::from(instance.weight)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::super::instance::{Joining, Registration};
    use super::*;

    fn instances(weights: &[u32]) -> Vec<Arc<Instance>> {
        let of = |(at, weight): (usize, &u32)| {
            let registration = Registration {
                url: format!("http://127.0.0.1:{}", at + 1),
                weight: Some(*weight),
                metadata: Default::default(),
                ttl: None,
                status: None,
            };
            let joining = Joining {
                id: &at.to_string(),
                registration: &registration,
                now: Instant::now(),
            };
            let (breaker, watch) = Default::default();
            Arc::new(Instance::joined(joining, None, &breaker, &watch).unwrap())
        };
        weights.iter().enumerate().map(of).collect()
    }

    proptest! {
        #[test]
        fn it_is_usable_and_there_is_one_if_any_is(
            usable in proptest::collection::vec(any::<bool>(), 0..40)
        ) {
            let instances = instances(&vec![100; usable.len()]);
            let is = |one: &Instance| usable[one.id.parse::<usize>().unwrap()];
            match pick(&instances, is) {
                Some(found) => prop_assert!(is(found)),
                None => prop_assert!(!usable.contains(&true)),
            }
        }
    }

    /// Requests that never end: the load of all stays nearly the same, where one
    /// draw alone would leave the busiest far ahead.
    #[test]
    fn the_load_is_even() {
        fastrand::seed(11);
        let instances = instances(&[100; 20]);
        for _ in 0..2000 {
            pick(&instances, |_| true).unwrap().enter();
        }
        let loads: Vec<_> = instances.iter().map(|one| one.in_flight()).collect();
        let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
        assert!(most - least <= 8, "100 each is even, got {loads:?}");
    }

    #[test]
    fn a_weight_of_half_gets_about_half() {
        fastrand::seed(12);
        let instances = instances(&[100, 50]);
        for _ in 0..3000 {
            pick(&instances, |_| true).unwrap().enter();
        }
        let half = instances[1].in_flight();
        assert!((900..=1100).contains(&half), "a third of 3000, got {half}");
    }
}
