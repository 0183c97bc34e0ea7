//! Medians, percentiles and spreads. Knows nothing of what is measured.

use serde::Serialize;

/// Samples of one quantity and what they say.
#[derive(Debug, Clone, Serialize)]
pub struct Spread {
    /// The middle one; of two, the upper.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
    /// All, in the order they were taken.
    pub samples: Vec<f64>,
}

impl Spread {
    /// `None` without samples.
    pub fn of(samples: Vec<f64>) -> Option<Self> {
        let mut sorted = samples.clone();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: *sorted.get(sorted.len() / 2)?,
            min: *sorted.first()?,
            max: *sorted.last()?,
            samples,
        })
    }
}

/// The sample that `percent` of them are not above; 0 without samples.
pub fn percentile(sorted: &[u32], percent: usize) -> u32 {
    match sorted.len() {
        0 => 0,
        count => sorted[(count - 1) * percent / 100],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_keeps_the_order_and_finds_the_middle() {
        let spread = Spread::of(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((spread.median, spread.min, spread.max), (2.0, 1.0, 3.0));
        assert_eq!(spread.samples, [3.0, 1.0, 2.0]);
        assert!(Spread::of(Vec::new()).is_none());
    }

    #[test]
    fn a_percentile_is_one_of_the_samples() {
        let sorted: Vec<u32> = (1..=101).collect();
        assert_eq!(percentile(&sorted, 0), 1);
        assert_eq!(percentile(&sorted, 50), 51);
        assert_eq!(percentile(&sorted, 99), 100);
        assert_eq!(percentile(&sorted, 100), 101);
        assert_eq!(percentile(&[], 50), 0);
    }
}
