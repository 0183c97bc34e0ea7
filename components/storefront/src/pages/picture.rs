//! Pictures of products, drawn from their ids: the same product looks the same everywhere.

use maud::{Markup, html};

/// A picture that says nothing which the text beside it does not.
pub(super) fn picture(id: &str) -> Markup {
    let bits = hash(id);
    let hue = bits % 360;
    let part = |shift: u32, range: u64| (bits >> shift) % range;
    html! {
        svg.picture viewBox="0 0 80 60" aria-hidden="true" focusable="false" {
            rect width="80" height="60" fill={ "hsl(" (hue) " 45% 88%)" } {}
            circle cx=(20 + part(16, 40)) cy=(20 + part(24, 20)) r=(10 + part(32, 12))
                fill={ "hsl(" (hue) " 50% 45%)" } {}
            rect x=(5 + part(40, 40)) y=(30 + part(48, 15)) width=(15 + part(56, 15)) height="14"
                rx="4" fill={ "hsl(" ((hue + 150) % 360) " 45% 55%)" } {}
        }
    }
}

/// FNV-1a of 64 bits.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_looks_like_itself() {
        // The example of the FNV draft.
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(picture("a").0, picture("a").0);
        assert_ne!(picture("a").0, picture("b").0);
    }
}
