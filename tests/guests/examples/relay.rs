//! Shows what a call carries before and behind a link.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/relay", generate_all });

use stoa::service::context;
use test::chain::probe;

struct Relay;
export!(Relay);

impl exports::test::chain::relay::Guest for Relay {
    fn seen_twice() -> String {
        let subject =
            context::caller().map_or_else(|| "nobody".to_owned(), |caller| caller.subject);
        let own = format!(
            "{}|{}|{}|{subject}",
            context::traceparent(),
            context::request_id(),
            context::remaining_ms()
        );
        format!("{own}\n{}", probe::seen())
    }
}
