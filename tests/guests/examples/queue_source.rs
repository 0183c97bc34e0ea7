//! Calls functions that a manifest binds as a queue.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/queue-source", generate_all });

use exports::test::queue::source::Guest;
use stoa::service::types::Error;
use test::queue::events;

struct Source;
export!(Source);

impl Guest for Source {
    fn happen(key: String, number: u32) -> Result<(), Error> {
        events::happened(&key, number)
    }

    fn note(text: String) {
        events::noted(&text);
    }
}
