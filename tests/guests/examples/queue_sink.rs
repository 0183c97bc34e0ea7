//! Gets calls from a queue, keeps what it heard, and fails when it is told to.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/queue-sink", generate_all });

use std::time::Duration;

use exports::test::queue::{events, sink};
use stoa::service::{context, types::Error};
use wasi::keyvalue::store::{self, Bucket};

struct Sink;
export!(Sink);

impl events::Guest for Sink {
    fn happened(key: String, number: u32) -> Result<(), Error> {
        if let Some(kept) = context::enqueued_at() {
            write(&format!("kept/{key}"), &kept.to_string());
        }
        fail(&key)?;
        let mut heard = heard(&key);
        heard.push(number);
        let heard: Vec<_> = heard.iter().map(u32::to_string).collect();
        write(&format!("heard/{key}"), &heard.join(","));
        Ok(())
    }

    fn noted(text: String) {
        write("heard/note", &text.len().to_string());
    }
}

impl sink::Guest for Sink {
    fn heard(key: String) -> Vec<u32> {
        heard(&key)
    }

    fn kept(key: String) -> Option<u64> {
        let kept = read(&format!("kept/{key}"))?;
        Some(kept.parse().expect("it is written so"))
    }

    fn spoil(key: String, how: String, times: u32) {
        write(&format!("spoil/{key}"), &format!("{how} {times}"));
    }
}

fn fail(key: &str) -> Result<(), Error> {
    let place = format!("spoil/{key}");
    let Some(spoilt) = read(&place) else {
        return Ok(());
    };
    let (how, times) = spoilt.split_once(' ').expect("it is written so");
    let times: u32 = times.parse().expect("it is written so");
    if times == 0 {
        return Ok(());
    }
    write(&place, &format!("{how} {}", times - 1));
    match how {
        "trap" => panic!("told to"),
        "slow" => {
            std::thread::sleep(Duration::from_millis(300));
            Ok(())
        }
        _ => Err(Error::Unavailable("told to fail".to_owned())),
    }
}

fn heard(key: &str) -> Vec<u32> {
    let heard = read(&format!("heard/{key}")).unwrap_or_default();
    let numbers = heard.split(',').filter(|number| !number.is_empty());
    numbers
        .map(|number| number.parse().expect("it is written so"))
        .collect()
}

fn read(key: &str) -> Option<String> {
    let value = bucket().get(key).expect("the bucket can be read")?;
    Some(String::from_utf8(value).expect("it is written so"))
}

fn write(key: &str, value: &str) {
    let written = bucket().set(key, value.as_bytes());
    written.expect("the bucket can be written");
}

fn bucket() -> Bucket {
    store::open("test").expect("a service has its own buckets")
}
