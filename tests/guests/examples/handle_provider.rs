//! Exports a resource, which can't leave its instance.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/handle-provider", generate_all });

use exports::test::handles::vault::{Guest, GuestSecret, Secret};

struct Vault;
export!(Vault);

struct Text(String);

impl Guest for Vault {
    type Secret = Text;

    fn open(name: String) -> Secret {
        Secret::new(Text(name))
    }
}

impl GuestSecret for Text {
    fn new(text: String) -> Self {
        Self(text)
    }

    fn reveal(&self) -> String {
        self.0.clone()
    }
}
