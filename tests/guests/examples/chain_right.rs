//! One half of two services that call each other. From a million on it computes without
//! end.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/chain-right", generate_all });

use std::hint::black_box;

struct Right;
export!(Right);

impl exports::test::chain::right::Guest for Right {
    fn bounce(n: u32) -> u32 {
        while black_box(n) >= 1_000_000 {}
        if n == 0 {
            0
        } else {
            test::chain::left::bounce(n - 1) + 1
        }
    }
}
