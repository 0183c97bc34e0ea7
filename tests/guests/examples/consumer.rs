//! Calls a provider through a link.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/consumer", generate_all });

use test::versioned::answers;

struct Consumer;
export!(Consumer);

impl exports::test::versioned::report::Guest for Consumer {
    fn line(question: String) -> String {
        let answer = answers::ask(&question);
        format!("consumer of {}: {}", answer.version, answer.text)
    }
}
