//! An async contract: several calls may wait in one instance.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/timed", generate_all });

use std::cell::Cell;

use wasip3::clocks::monotonic_clock;

struct Timed;
export!(Timed);

thread_local! {
    static NOW: Cell<u32> = const { Cell::new(0) };
    static MOST: Cell<u32> = const { Cell::new(0) };
}

impl exports::test::timed::timer::Guest for Timed {
    async fn rest(ms: u64) -> u32 {
        let now = NOW.get() + 1;
        NOW.set(now);
        MOST.set(MOST.get().max(now));
        monotonic_clock::wait_for(ms * 1_000_000).await;
        let most = MOST.get();
        NOW.set(NOW.get() - 1);
        if NOW.get() == 0 {
            MOST.set(0);
        }
        most
    }
}
