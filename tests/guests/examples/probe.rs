//! Shows what a call carries.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/probe", generate_all });

use stoa::service::context;

struct Probe;
export!(Probe);

impl exports::test::chain::probe::Guest for Probe {
    fn seen() -> String {
        let subject =
            context::caller().map_or_else(|| "nobody".to_owned(), |caller| caller.subject);
        format!(
            "{}|{}|{}|{subject}",
            context::traceparent(),
            context::request_id(),
            context::remaining_ms()
        )
    }
}
