//! What a host must survive, reached through functions.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/misbehave", generate_all });

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use exports::test::misbehave::faults::{Error, Guest, OwnError};
use stoa::service::types::Violation;

struct Misbehave;
export!(Misbehave);

static CALLS: AtomicU32 = AtomicU32::new(0);

impl Guest for Misbehave {
    fn well() -> String {
        CALLS.fetch_add(1, Ordering::Relaxed);
        "well".to_owned()
    }

    fn calls() -> u32 {
        CALLS.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn trap() -> String {
        panic!("this guest panics when asked to");
    }

    fn spin() -> String {
        let mut turns = 0_u64;
        while black_box(true) {
            turns = turns.wrapping_add(1);
        }
        turns.to_string()
    }

    fn grow(mib: u32) -> String {
        let held: Vec<Vec<u8>> = (0..mib).map(|_| vec![1; 1 << 20]).collect();
        format!("{} MiB", black_box(held).len())
    }

    fn block(ms: u64) -> String {
        std::thread::sleep(Duration::from_millis(ms));
        format!("waited {ms} ms")
    }

    fn huge(mib: u32) -> String {
        "h".repeat((mib as usize) << 20)
    }

    fn refuse(how: String) -> Result<String, Error> {
        let text = "refused as asked".to_owned();
        Err(match how.as_str() {
            "invalid" => Error::Invalid(vec![Violation {
                pointer: "/how".to_owned(),
                detail: text,
            }]),
            "not-found" => Error::NotFound(text),
            "conflict" => Error::Conflict(text),
            "precondition-failed" => Error::PreconditionFailed(text),
            "unauthorized" => Error::Unauthorized(text),
            "forbidden" => Error::Forbidden(text),
            "too-many-requests" => Error::TooManyRequests(text),
            "unavailable" => Error::Unavailable(text),
            other => return Ok(format!("{other} is no case of the error")),
        })
    }

    fn refuse_own(how: String) -> Result<String, OwnError> {
        match how.as_str() {
            "out-of-stock" => Err(OwnError::OutOfStock(3)),
            "closed" => Err(OwnError::Closed),
            other => Ok(format!("{other} is no case of the error")),
        }
    }

    fn recurse() -> String {
        descend(0).to_string()
    }
}

#[expect(unconditional_recursion, reason = "uses up the stack on purpose")]
fn descend(depth: u64) -> u64 {
    black_box(descend(black_box(depth + 1))) + 1
}
