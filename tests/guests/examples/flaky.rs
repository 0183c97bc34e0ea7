//! Fails at every second call, so that a second try succeeds.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/flaky", generate_all });

use std::sync::atomic::{AtomicU32, Ordering};

struct Flaky;
export!(Flaky);

static CALLS: AtomicU32 = AtomicU32::new(0);

impl exports::test::flaky::turns::Guest for Flaky {
    fn take() -> u32 {
        let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(calls == 1, "this guest panics at its second call");
        calls
    }
}
