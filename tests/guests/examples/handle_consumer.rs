//! Imports a resource of another service, which a host must refuse.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/handle-consumer", generate_all });

use test::handles::vault;

struct Thief;
export!(Thief);

impl exports::test::handles::thief::Guest for Thief {
    fn steal() -> String {
        vault::open("gold").reveal()
    }
}
