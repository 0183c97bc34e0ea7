//! Greets: the smallest function.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/hello-function", generate_all });

struct Hello;
export!(Hello);

impl exports::test::hello::greeter::Guest for Hello {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }

    fn ping() -> String {
        "pong".to_owned()
    }
}
