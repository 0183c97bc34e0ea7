//! Ids that sort by the time they were made: UUIDv7 (RFC 9562, section 5.7).

use std::fmt::Write;

use crate::Timestamp;

/// A new id: `019a3f6e-8f2b-7c1d-9e4f-0a1b2c3d4e5f`.
///
/// # Panics
/// When the host gives no random bytes, which `wasi:random` does not allow for.
pub fn new(now: Timestamp) -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes[6..]).expect("wasi:random always gives bytes");
    from_parts(now, bytes)
}

/// When an id was made, or `None` if it is not one of ours.
pub fn time(id: &str) -> Option<Timestamp> {
    let hex = format!("{}{}", id.get(..8)?, id.get(9..13)?);
    let well_formed = id.len() == 36 && id.as_bytes().get(14) == Some(&b'7');
    let millis = i64::from_str_radix(&hex, 16).ok()?;
    well_formed.then_some(Timestamp::from_millis(millis))
}

fn from_parts(now: Timestamp, mut bytes: [u8; 16]) -> String {
    bytes[..6].copy_from_slice(&now.millis().max(0).to_be_bytes()[2..]);
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        write!(text, "{byte:02x}").expect("a string takes any text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_the_rfc_example() {
        // RFC 9562, appendix A.6.
        let random = [
            0, 0, 0, 0, 0, 0, 0xcc, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f,
        ];
        let id = from_parts(Timestamp::from_millis(0x017F_22E2_79B0), random);
        assert_eq!(id, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert_eq!(time(&id), Some(Timestamp::from_millis(0x017F_22E2_79B0)));
    }

    #[test]
    fn ids_sort_by_time_and_differ() {
        let (early, late) = (Timestamp::from_millis(1_000), Timestamp::from_millis(1_001));
        assert!(new(early) < new(late));
        assert_ne!(new(late), new(late));
    }

    #[test]
    fn foreign_ids_have_no_time() {
        for foreign in [
            "",
            "x",
            "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
            "017f22e2é79b0-7cc3-98c4-dc0c0c07398f",
        ] {
            assert_eq!(time(foreign), None, "{foreign:?}");
        }
    }
}
