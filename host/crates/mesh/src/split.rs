//! The traffic split: which of several live revisions gets the next call.
//!
//! Drawn by lot for each call, where the revisions are known: in the registry for links
//! and neighbours, in the table for routes. What stands behind, a guard and its target,
//! is one revision's.

/// One of `items` by their weights in per cent; the first takes what is missing to 100.
pub fn pick<T>(items: &[T], weight: impl Fn(&T) -> u8) -> &T {
    if items.len() > 1 {
        let mut ticket = fastrand::u8(..100);
        for item in items.iter().rev() {
            let weight = weight(item);
            if ticket < weight {
                return item;
            }
            ticket -= weight;
        }
    }
    &items[0]
}

#[cfg(test)]
mod tests {
    use super::pick;

    #[test]
    fn calls_are_shared_by_weight() {
        fastrand::seed(7);
        let weights = [("stable", 90), ("canary", 10)];
        let canary = (0..10_000)
            .filter(|_| pick(&weights, |item| item.1).0 == "canary")
            .count();
        assert!(
            (800..1200).contains(&canary),
            "10 % of 10 000 calls, got {canary}"
        );
    }

    #[test]
    fn one_that_has_no_weight_gets_nothing() {
        let weights = [("all", 100), ("none", 0)];
        assert!((0..1000).all(|_| pick(&weights, |item| item.1).0 == "all"));
    }
}
