//! Calls out over HTTP, by `wasi:http` 0.2.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/outgoing", generate_all });

use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, OutgoingRequest, Scheme};

struct Outgoing;
export!(Outgoing);

impl exports::test::sandbox::outgoing::Guest for Outgoing {
    fn fetch(authority: String, path: String) -> Result<u16, String> {
        let request = OutgoingRequest::new(Fields::new());
        request
            .set_scheme(Some(&Scheme::Http))
            .map_err(|()| "bad scheme")?;
        request
            .set_authority(Some(&authority))
            .map_err(|()| "bad authority")?;
        request
            .set_path_with_query(Some(&path))
            .map_err(|()| "bad path")?;
        let pending =
            outgoing_handler::handle(request, None).map_err(|fault| format!("{fault:?}"))?;
        pending.subscribe().block();
        let answer = pending
            .get()
            .ok_or("no answer after the wait")?
            .map_err(|()| "taken twice")?;
        Ok(answer.map_err(|fault| format!("{fault:?}"))?.status())
    }
}
