//! A service whose configuration says how well it is.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/health", generate_all });

use std::time::Duration;

struct Patient;
export!(Patient);

impl exports::stoa::service::health::Guest for Patient {
    fn check() -> Result<(), String> {
        match wasi::config::store::get("health").ok().flatten().as_deref() {
            None | Some("well") => Ok(()),
            Some("silent") => {
                std::thread::sleep(Duration::from_secs(24 * 3600));
                Ok(())
            }
            Some("trap") => panic!("this guest panics in its health function"),
            Some(other) => Err(format!("not well: {other}")),
        }
    }
}

impl exports::test::hello::greeter::Guest for Patient {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }

    fn ping() -> String {
        "pong".to_owned()
    }
}
