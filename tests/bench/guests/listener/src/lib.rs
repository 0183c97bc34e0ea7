//! Counts what a queue tells it.

use std::sync::atomic::{AtomicU64, Ordering};

wit_bindgen::generate!({ path: "../wit", world: "listener" });

static NOTED: AtomicU64 = AtomicU64::new(0);

struct Listener;

impl exports::stoa::bench::events::Guest for Listener {
    fn note(_: u32) {
        NOTED.fetch_add(1, Ordering::Relaxed);
    }
}

impl exports::stoa::bench::counter::Guest for Listener {
    fn noted() -> u64 {
        NOTED.load(Ordering::Relaxed)
    }
}

export!(Listener);
