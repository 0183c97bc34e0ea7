//! Keys that sort the newest first: stores list keys in one direction only.

/// The value of the index that has all orders.
pub(crate) const ALL: &str = "all";

/// An id whose digits count backwards, and the other way round.
pub(crate) fn turned(id: &str) -> String {
    let turn = |char: char| match char.to_digit(16) {
        Some(digit) => char::from_digit(15 - digit, 16).unwrap_or(char),
        None => char,
    };
    id.chars().map(turn).collect()
}

#[cfg(test)]
mod tests {
    use stoa_sdk::{Timestamp, id};

    use super::*;

    #[test]
    fn the_newest_is_first() {
        let made = |millis| id::new(Timestamp::from_millis(millis));
        let (early, late) = (made(1_800_000_000_000), made(1_800_000_000_001));
        assert!(turned(&late) < turned(&early));
        assert_eq!(turned(&turned(&early)), early);
    }
}
