//! Imports what no host and no service has.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/unknown-import", generate_all });

struct Hello;
export!(Hello);

impl exports::test::hello::greeter::Guest for Hello {
    fn greet(name: String) -> String {
        format!("{} {name}", test::guests::nobody::answer())
    }

    fn ping() -> String {
        test::guests::nobody::answer()
    }
}
