//! One half of two services that call each other.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/chain-left", generate_all });

struct Left;
export!(Left);

impl exports::test::chain::left::Guest for Left {
    fn bounce(n: u32) -> u32 {
        if n == 0 {
            0
        } else {
            test::chain::right::bounce(n - 1) + 1
        }
    }
}
