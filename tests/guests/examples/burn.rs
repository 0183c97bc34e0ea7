//! Uses the processor and nothing else.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/burn", generate_all });

use std::hint::black_box;

struct Burn;
export!(Burn);

impl exports::test::burn::work::Guest for Burn {
    fn burn(thousands: u32) -> u64 {
        (0..u64::from(thousands) * 1000).fold(1, |sum: u64, turn| {
            black_box(
                sum.wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(turn),
            )
        })
    }
}
