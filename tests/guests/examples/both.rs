//! One component with two ways in: a function, and `wasi:http` 0.2.

use wasip2::http::types::{IncomingRequest, ResponseOutparam};

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/hello-function", generate_all });

struct Both;
export!(Both);
wasip2::http::proxy::export!(Both);

impl exports::test::hello::greeter::Guest for Both {
    fn greet(name: String) -> String {
        format!("Hello by function, {name}!")
    }

    fn ping() -> String {
        "pong by function".to_owned()
    }
}

impl wasip2::exports::http::incoming_handler::Guest for Both {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        stoa_guests::respond(out, 200, "Hello by wasi:http!");
    }
}
