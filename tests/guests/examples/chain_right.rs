//! One half of two services that call each other.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/chain-right", generate_all });

struct Right;
export!(Right);

impl exports::test::chain::right::Guest for Right {
    fn bounce(n: u32) -> u32 {
        if n == 0 {
            0
        } else {
            test::chain::left::bounce(n - 1) + 1
        }
    }
}
