//! Idempotency keys: which order a client's key stands for.
//!
//! The key is written before the order, so that a repeat after a crash goes on
//! with the same id whatever was done of it.

use std::time::Duration;

use stoa_sdk::{Bucket, Change, Error, Timestamp, id, invalid};

/// How long a key is remembered.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Characters of a key at most.
const LENGTH: usize = 255;

/// The order id of a principal's key, made if the key is new. A key of no client
/// is an id that nobody can repeat.
pub(crate) fn order_id(
    keys: &Bucket<String>,
    subject: &str,
    key: Option<&str>,
    now: Timestamp,
) -> Result<String, Error> {
    let fresh = id::new(now);
    let Some(key) = key else { return Ok(fresh) };
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if !(1..=LENGTH).contains(&key.len()) || !visible {
        return Err(invalid!(
            "",
            "expected an Idempotency-Key of 1 to {LENGTH} visible ASCII characters"
        ));
    }
    keys.update_if(&scoped(subject, key), |known| {
        let young = |id: &String| id::time(id).is_some_and(|made| now < made + LIFE);
        Ok(match known.filter(young) {
            Some(id) => Change::Leave(id),
            None => Change::Write(fresh.clone()),
        })
    })
}

/// The length keeps `a:` + `b` and `a` + `:b` apart.
fn scoped(subject: &str, key: &str) -> String {
    format!("{}:{subject}:{key}", subject.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn key_stands_for_one_order_of_its_principal() {
        let keys = Bucket::in_memory();
        let id = |subject, key| order_id(&keys, subject, key, NOW).unwrap();
        assert_eq!(id("ann", Some("k")), id("ann", Some("k")));
        assert_ne!(id("ann", Some("k")), id("bob", Some("k")));
        assert_ne!(id("a:", Some("b")), id("a", Some(":b")));
        assert_ne!(id("ann", None), id("ann", None));
    }

    #[test]
    fn key_is_forgotten_after_a_day() {
        let keys = Bucket::in_memory();
        let first = order_id(&keys, "ann", Some("k"), NOW).unwrap();
        let almost = NOW + (LIFE - Duration::from_millis(1));
        assert_eq!(order_id(&keys, "ann", Some("k"), almost).unwrap(), first);
        assert_ne!(
            order_id(&keys, "ann", Some("k"), NOW + LIFE).unwrap(),
            first
        );
    }

    #[test]
    fn bad_keys_are_refused() {
        let keys = Bucket::in_memory();
        for key in ["", "with space", &"k".repeat(256)] {
            let refused = order_id(&keys, "ann", Some(key), NOW);
            assert!(matches!(refused, Err(Error::Invalid(_))), "{key:?}");
        }
    }
}
