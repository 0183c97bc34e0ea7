//! The tags of kept answers, by which their services purge them.
//!
//! No answer is looked for: a purge is counted, and an answer is good as long as the counts
//! of its route's tags are what they were before its service was asked. So one that was under
//! way is not good either, and a purge costs the same however many answers there are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stoa_engine::capabilities::cache::KeptAnswers;

/// The tags of all services, each with how often it was purged.
#[derive(Default)]
pub(crate) struct Tags(Mutex<Purges>);

/// By service and tag.
type Purges = HashMap<(Arc<str>, String), Arc<AtomicU64>>;

/// The tags of a route.
#[derive(Default)]
pub(crate) struct RouteTags {
    /// By which operators name them.
    pub(super) names: Vec<String>,
    purges: Box<[Arc<AtomicU64>]>,
}

// === impl Tags ===

impl Tags {
    /// The tags of a route of `service`.
    pub(super) fn of_route(&self, service: &Arc<str>, names: &[String]) -> RouteTags {
        let mut all = self.all();
        let purges = names.iter().map(|name| {
            let tag = (service.clone(), name.clone());
            all.entry(tag).or_default().clone()
        });
        RouteTags {
            purges: purges.collect(),
            names: names.to_vec(),
        }
    }

    fn all(&self) -> MutexGuard<'_, Purges> {
        // Nothing runs under the lock but the map's own code.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptAnswers for Tags {
    fn purge(&self, service: &str, tags: &[String]) -> Vec<String> {
        let service: Arc<str> = service.into();
        let all = self.all();
        let unknown = tags
            .iter()
            .filter(|tag| match all.get(&(service.clone(), (*tag).clone())) {
                Some(purges) => {
                    purges.fetch_add(1, Ordering::AcqRel);
                    false
                }
                None => true,
            });
        unknown.cloned().collect()
    }
}

// === impl RouteTags ===

impl RouteTags {
    /// How often they were purged.
    pub(super) fn purges(&self) -> u64 {
        let purges = self.purges.iter();
        purges.map(|purges| purges.load(Ordering::Acquire)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_meets_the_routes_of_its_service_that_have_the_tag() {
        let tags = Tags::default();
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (catalog, order) = ("catalog".into(), "order".into());
        let both = tags.of_route(&catalog, &names(&["lists", "items"]));
        let items = tags.of_route(&catalog, &names(&["items"]));
        let other = tags.of_route(&order, &names(&["items"]));
        let none = tags.of_route(&catalog, &[]);
        assert_eq!(
            tags.purge("catalog", &names(&["items", "itmes"])),
            ["itmes"]
        );
        assert_eq!(tags.purge("catalog", &names(&["lists"])), [""; 0]);
        let purges = [both, items, other, none].map(|tags| tags.purges());
        assert_eq!(purges, [2, 1, 0, 0]);
    }
}
