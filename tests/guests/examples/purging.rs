//! Counts its calls, and takes kept answers back.

use std::sync::atomic::{AtomicU64, Ordering};

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/purging", generate_all });

static CALLS: AtomicU64 = AtomicU64::new(0);

struct Keeper;
export!(Keeper);

impl exports::test::cache::keeper::Guest for Keeper {
    fn next() -> u64 {
        CALLS.fetch_add(1, Ordering::Relaxed)
    }

    fn purge(tags: Vec<String>) {
        stoa::service::cache::purge(&tags);
    }
}
