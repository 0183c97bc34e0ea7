//! Answers `Hello, world!` by a function of its contract.

wit_bindgen::generate!({ path: "../wit", world: "hello" });

struct Hello;

impl exports::stoa::bench::greeting::Guest for Hello {
    fn greet() -> String {
        "Hello, world!".to_owned()
    }
}

export!(Hello);
