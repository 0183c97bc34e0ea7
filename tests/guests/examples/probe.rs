//! Shows what a call carries.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/probe", generate_all });

use stoa::service::context;

struct Probe;
export!(Probe);

impl exports::test::chain::probe::Guest for Probe {
    fn seen() -> String {
        let caller = context::caller();
        let subject = caller
            .as_ref()
            .map_or("nobody", |caller| caller.subject.as_str());
        let (scopes, claims) = caller.as_ref().map_or_else(Default::default, |caller| {
            let claims: Vec<_> = caller
                .claims
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            (caller.scopes.join(" "), claims.join(" "))
        });
        format!(
            "{}|{}|{}|{subject}|{scopes}|{claims}",
            context::traceparent(),
            context::request_id(),
            context::remaining_ms()
        )
    }
}
