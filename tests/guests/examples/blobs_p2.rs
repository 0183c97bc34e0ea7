//! Keeps request bodies as blobs, and answers with them, by `wasi:http` 0.2: piece by
//! piece both ways.
//!
//! `/SERVICE/CONTAINER` is a container, `/SERVICE/CONTAINER/OBJECT` an object; the header
//! `x-owner` says whose, if not its own. What blobs refuse is the text of a 409.

use std::io::Write as _;

use stoa_guests::{Answer, respond};
use wasip2::http::types::{IncomingBody, IncomingRequest, Method, ResponseOutparam};
use wasip2::io::streams::{InputStream, StreamError};

mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit/deps/io", "../../wit/deps/blobstore"],
        world: "wasi:blobstore/imports",
        with: {
            "wasi:io/error@0.2.12": wasip2::io::error,
            "wasi:io/poll@0.2.12": wasip2::io::poll,
            "wasi:io/streams@0.2.12": wasip2::io::streams,
        },
        generate_all,
    });
}

use bindings::wasi::blobstore::blobstore;
use bindings::wasi::blobstore::container::Container;
use bindings::wasi::blobstore::types::{IncomingValue, ObjectId, OutgoingValue};

struct Blobs;
wasip2::http::proxy::export!(Blobs);

/// What a request is about.
struct Asked {
    container: String,
    object: Option<String>,
    /// `copy` or `move`, with where to; `abandon` or `trap` once the body is written.
    how: String,
    range: Option<(u64, u64)>,
}

/// A text to answer with; none is 204.
type Done = Result<Option<String>, String>;

impl wasip2::exports::http::incoming_handler::Guest for Blobs {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let asked = asked(&request);
        let done = match (request.method(), &asked.object) {
            (Method::Get, Some(object)) => match open(&asked, object) {
                Ok(value) => return send(out, asked.range, value),
                Err(refused) => Err(refused),
            },
            (Method::Get, None) => names(&asked.container).map(Some),
            (Method::Put, None) => blobstore::create_container(&asked.container).map(|_| None),
            (Method::Put, Some(object)) => write(&request, &asked, object),
            (Method::Delete, None) => blobstore::delete_container(&asked.container).map(|()| None),
            (Method::Delete, Some(object)) => delete(&asked, object),
            (Method::Post, Some(object)) => copy(&asked, object),
            (Method::Post, None) => clear(&asked),
            other => panic!("no test sends {other:?}"),
        };
        match done {
            Ok(Some(text)) => respond(out, 200, &text),
            Ok(None) => respond(out, 204, ""),
            Err(refused) => respond(out, 409, &refused),
        }
    }
}

fn asked(request: &IncomingRequest) -> Asked {
    let path = request.path_with_query().unwrap_or_default();
    let mut parts = path.splitn(4, '/').skip(2).map(str::to_owned);
    let container = parts.next().expect("each path has a container");
    let headers = request.headers();
    let header = |name: &str| {
        let values = headers.get(name);
        let value = values.into_iter().next();
        value.map(|value| String::from_utf8(value).expect("headers of the tests are text"))
    };
    let range = header("range").map(|range| {
        let (start, end) = range["bytes=".len()..].split_once('-').expect("a range");
        let end = end.parse().unwrap_or(u64::MAX);
        (start.parse().expect("a number"), end)
    });
    Asked {
        container: match header("x-owner") {
            Some(owner) => format!("{owner}/{container}"),
            None => container,
        },
        object: parts.next(),
        how: header("x-how").unwrap_or_default(),
        range,
    }
}

fn open(asked: &Asked, object: &str) -> Result<IncomingValue, String> {
    let container = blobstore::get_container(&asked.container)?;
    let (start, end) = asked.range.unwrap_or((0, u64::MAX));
    container.get_data(object, start, end)
}

fn send(out: ResponseOutparam, range: Option<(u64, u64)>, value: IncomingValue) {
    let length = value.size().to_string();
    let status = if range.is_some() { 206 } else { 200 };
    let mut answer = Answer::begin(out, status, &[("content-length", &length)]);
    let body = IncomingValue::incoming_value_consume_async(value);
    let body = body.expect("a value is consumed once");
    each(&body, |piece| {
        answer.write(piece);
        Ok(())
    })
    .expect("the host gives what it has");
    answer.finish();
}

fn write(request: &IncomingRequest, asked: &Asked, object: &str) -> Done {
    let container = blobstore::get_container(&asked.container)?;
    let value = OutgoingValue::new_outgoing_value();
    container.write_data(object, &value)?;
    let incoming = request.consume().expect("the body is consumed once");
    let written = fill(&value, &incoming);
    match &*asked.how {
        "trap" => panic!("it was asked to"),
        "abandon" => return written.map(|()| None),
        _ => {}
    }
    let finished = OutgoingValue::finish(value);
    written.and(finished).map(|()| None)
}

fn fill(value: &OutgoingValue, incoming: &IncomingBody) -> Result<(), String> {
    let body = value.outgoing_value_write_body();
    let mut body = body.map_err(|()| "it takes no body".to_owned())?;
    let stream = incoming.stream().expect("the body has one reader");
    each(&stream, |piece| {
        body.write_all(piece).map_err(|refused| refused.to_string())
    })
}

fn each(
    stream: &InputStream,
    mut take: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(piece) => take(&piece)?,
            Err(StreamError::Closed) => return Ok(()),
            Err(StreamError::LastOperationFailed(fault)) => return Err(fault.to_debug_string()),
        }
    }
}

/// All names with their sizes, a line each.
fn names(container: &str) -> Result<String, String> {
    let container = blobstore::get_container(container)?;
    assert_eq!(container.name(), container.info().map(|info| info.name));
    let names = container.list_objects()?;
    let mut all = String::new();
    loop {
        let (some, is_last) = names.read_stream_object_names(7)?;
        for name in some {
            let size = container.object_info(&name)?.size;
            all.push_str(&format!("{name} {size}\n"));
        }
        if is_last {
            return Ok(all);
        }
    }
}

fn delete(asked: &Asked, object: &str) -> Done {
    let container: Container = blobstore::get_container(&asked.container)?;
    container.delete_object(object)?;
    assert_eq!(container.has_object(object), Ok(false));
    Ok(None)
}

fn clear(asked: &Asked) -> Done {
    blobstore::get_container(&asked.container)?.clear()?;
    Ok(None)
}

fn copy(asked: &Asked, object: &str) -> Done {
    let (how, to) = asked.how.split_once(' ').expect("how, and where to");
    let (container, name) = to.split_once('/').expect("a container, and an object");
    let id = |container: &str, object: &str| ObjectId {
        container: container.to_owned(),
        object: object.to_owned(),
    };
    let (from, to) = (id(&asked.container, object), id(container, name));
    match how {
        "copy" => blobstore::copy_object(&from, &to)?,
        _ => blobstore::move_object(&from, &to)?,
    }
    Ok(None)
}
