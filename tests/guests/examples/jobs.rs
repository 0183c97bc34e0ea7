//! Functions that a clock calls: each counts itself where a restart does not forget it.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/jobs", generate_all });

use std::time::Duration;

use exports::test::jobs::work::Guest;
use wasi::keyvalue::{atomics, store};

struct Jobs;
export!(Jobs);

impl Guest for Jobs {
    fn count() -> Result<i64, String> {
        let name = wasi::config::store::get("name").ok().flatten();
        add(name.as_deref().unwrap_or("count"), 1)
    }

    fn hang() -> Result<(), String> {
        add("hang", 1)?;
        std::thread::sleep(Duration::from_secs(24 * 3600));
        Ok(())
    }

    fn nap() -> Result<(), String> {
        std::thread::sleep(Duration::from_millis(700));
        add("nap", 1).map(drop)
    }

    fn fail() -> Result<(), String> {
        Err("nothing is in stock".to_owned())
    }

    fn crash() {
        panic!("this guest panics when the clock calls it");
    }

    fn maybe(text: Option<String>) -> Result<(), String> {
        add(if text.is_some() { "some" } else { "none" }, 1).map(drop)
    }

    fn want(_: String) {}

    fn counted(name: String) -> Result<i64, String> {
        add(&name, 0)
    }
}

fn add(name: &str, by: i64) -> Result<i64, String> {
    let shown = |fault: store::Error| format!("{fault:?}");
    let bucket = store::open("jobs").map_err(shown)?;
    atomics::increment(&bucket, name, by).map_err(shown)
}
