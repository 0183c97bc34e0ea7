//! The second version of a provider: compatible, with one more function.

wit_bindgen::generate!({
    inline: "
        package test:inline;
        world provider { export test:versioned/answers@1.1.0; }

        package test:versioned@1.1.0 {
            interface answers {
                record answer { text: string, version: string }
                version: func() -> string;
                ask: func(question: string) -> answer;
                more: func() -> string;
            }
        }
    ",
    path: [],
    world: "test:inline/provider",
});

use exports::test::versioned::answers::{Answer, Guest};

struct Provider;
export!(Provider);

impl Guest for Provider {
    fn version() -> String {
        "v2".to_owned()
    }

    fn ask(question: String) -> Answer {
        Answer {
            text: format!("{question}? Certainly."),
            version: Self::version(),
        }
    }

    fn more() -> String {
        "more".to_owned()
    }
}
