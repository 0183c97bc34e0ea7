//! Computes as long as it is told to.

use std::hint::black_box;

wit_bindgen::generate!({ path: "../wit", world: "burn" });

struct Burn;

impl exports::stoa::bench::work::Guest for Burn {
    fn burn(thousands: u32) -> u64 {
        (0..u64::from(thousands) * 1000).fold(1, |sum: u64, turn| {
            black_box(sum.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(turn))
        })
    }
}

export!(Burn);
