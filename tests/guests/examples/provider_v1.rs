//! The first version of a provider.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/provider", generate_all });

use exports::test::versioned::answers::{Answer, Guest};

struct Provider;
export!(Provider);

impl Guest for Provider {
    fn version() -> String {
        "v1".to_owned()
    }

    fn ask(question: String) -> Answer {
        Answer {
            text: format!("{question}? Yes."),
            version: Self::version(),
        }
    }
}
