//! A provider that breaks its consumers: its record has another field.

wit_bindgen::generate!({
    inline: "
        package test:inline;
        world provider { export test:versioned/answers@1.0.0; }

        package test:versioned@1.0.0 {
            interface answers {
                record answer { text: string, version: string, price: u32 }
                version: func() -> string;
                ask: func(question: string) -> answer;
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
        "breaking".to_owned()
    }

    fn ask(question: String) -> Answer {
        Answer {
            text: question,
            version: Self::version(),
            price: 1,
        }
    }
}
