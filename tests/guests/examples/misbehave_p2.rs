//! What a host must survive, reached through `wasi:http` 0.2. The path says which.

use stoa_guests::Answer;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};
use wasip2::io::streams::StreamError;

struct Misbehave;
wasip2::http::proxy::export!(Misbehave);

/// Chunks before a fault in the middle: more than a host may hold back.
const HALF: usize = 8;

static CHUNK: [u8; 64 << 10] = [b'x'; 64 << 10];

impl wasip2::exports::http::incoming_handler::Guest for Misbehave {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        match path.rsplit('/').next().unwrap_or_default() {
            "well" => stoa_guests::respond(out, 200, "well"),
            "trap-before" => panic!("this guest panics before it answers"),
            "trap-after-headers" => trap_after_headers(out),
            "trap-in-body" => trap_in_body(out),
            "trap-after-body" => trap_after_body(out),
            "no-response" => {}
            "interim" => stoa_guests::respond(out, 101, ""),
            "early-answer" => stoa_guests::respond(out, 413, "not interested in the body"),
            "short-body" => short_body(out),
            "read-or-trap" => {
                assert!(read(&request), "this guest panics when its read fails");
                stoa_guests::respond(out, 200, "well");
            }
            "read-or-500" => match read(&request) {
                true => stoa_guests::respond(out, 200, "well"),
                false => stoa_guests::respond(out, 500, "the body broke off"),
            },
            "endless" => endless(out),
            "spin-in-body" => spin_in_body(out),
            other => stoa_guests::respond(out, 404, other),
        }
    }
}

/// Reads the whole body; whether that went well.
fn read(request: &IncomingRequest) -> bool {
    let incoming = request.consume().expect("the body is consumed once");
    let stream = incoming.stream().expect("the body has one reader");
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(_) => {}
            Err(StreamError::Closed) => return true,
            Err(StreamError::LastOperationFailed(_)) => return false,
        }
    }
}

fn trap_after_headers(out: ResponseOutparam) {
    let _answer = Answer::begin(out, 200, &[("content-type", "text/plain")]);
    panic!("this guest panics after its headers");
}

fn trap_in_body(out: ResponseOutparam) {
    let mut answer = Answer::begin(out, 200, &[("content-type", "text/plain")]);
    for _ in 0..HALF {
        answer.write(&CHUNK);
    }
    panic!("this guest panics in the middle of its body");
}

fn trap_after_body(out: ResponseOutparam) {
    let mut answer = Answer::begin(out, 200, &[("content-length", "65536")]);
    answer.write(&CHUNK);
    answer.finish();
    panic!("this guest panics when its answer is whole");
}

fn short_body(out: ResponseOutparam) {
    let mut answer = Answer::begin(out, 200, &[("content-length", "100")]);
    answer.write(b"not a hundred bytes");
    answer.finish();
}

fn endless(out: ResponseOutparam) {
    let mut answer = Answer::begin(out, 200, &[("content-type", "text/plain")]);
    loop {
        answer.write(&CHUNK);
    }
}

fn spin_in_body(out: ResponseOutparam) {
    let mut answer = Answer::begin(out, 200, &[("content-type", "text/plain")]);
    answer.write(b"now it spins");
    let mut turns = 0_u64;
    while std::hint::black_box(true) {
        turns = turns.wrapping_add(1);
    }
    answer.write(turns.to_string().as_bytes());
}
