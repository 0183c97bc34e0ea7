use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http_body::{Frame, SizeHint};

use super::*;

type Response = http::Response<TestBody>;

/// A body that is there, or is written.
enum TestBody {
    Whole(Bytes),
    Written(BoxStream<'static, io::Result<Frame<Bytes>>>),
}

impl TestBody {
    fn written(frames: impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self::Written(frames.map(|bytes| bytes.map(Frame::data)).boxed())
    }
}

impl Body for TestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Written(frames) => frames.poll_next_unpin(cx),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Written(_) => SizeHint::default(),
        }
    }
}

impl MaybeWhole for TestBody {
    fn as_whole(&self) -> Option<&Bytes> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            Self::Written(_) => None,
        }
    }
}

impl Compressible for TestBody {
    type Content = Self;

    fn whole(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }

    fn into_content(self) -> Self {
        self
    }

    fn compressed(body: CompressionBody<Self>) -> Self {
        let data = http_body_util::BodyDataStream::new(body);
        Self::written(data.map(|bytes| bytes.map_err(io::Error::other)))
    }
}

fn finish(mut response: Response, coding: Option<Coding>, method: &Method) -> Response {
    super::finish(&mut response, coding, method, Judge::Service);
    response
}

fn response(content_type: &str, body: Vec<u8>) -> Response {
    let mut response = Response::new(TestBody::whole(body.into()));
    let content_type = HeaderValue::try_from(content_type).unwrap();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

fn json(length: usize) -> Response {
    response("application/json", b"[1,2] ".repeat(length / 6 + 1))
}

fn get(response: Response) -> Response {
    finish(response, Some(Coding::Gzip), &Method::GET)
}

fn length(response: Response) -> usize {
    let body = response.into_body().collect().now_or_never();
    body.unwrap().unwrap().to_bytes().len()
}

#[test]
fn a_body_is_compressed_at_once_or_as_it_is_sent() {
    for size in [2000, AT_ONCE + 1, 3 << 20] {
        for coding in [Coding::Gzip, Coding::Br, Coding::Zstd] {
            let response = finish(json(size), Some(coding), &Method::GET);
            assert_eq!(response.headers()["content-encoding"], coding.value());
            assert_eq!(response.headers()["vary"], "accept-encoding");
            let at_once = response.body().size_hint().exact().is_some();
            assert_eq!(at_once, size <= AT_ONCE);
            assert!(length(response) < size / 10);
        }
    }
}

#[test]
fn what_gains_nothing_stays_as_it_is() {
    let with = |name: &'static str, value: &'static str| {
        let mut response = json(2000);
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
        response
    };
    let with_status = |status: u16| {
        let mut response = json(2000);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    };
    let left = [
        json(100),
        response("image/png", vec![0; 2000]),
        response("text/event-stream", vec![b'a'; 2000]),
        response("application/octet-stream", vec![0; 2000]),
        with("content-encoding", "br"),
        with("content-range", "bytes 0-1/2"),
        with("cache-control", "public, No-Transform"),
        with("content-digest", "sha-256=:AA==:"),
        with_status(206),
        with_status(304),
    ];
    for response in left {
        let before = response.headers().clone();
        let response = get(response);
        assert_eq!(*response.headers(), before);
    }
    let response = finish(json(2000), None, &Method::GET);
    assert!(!response.headers().contains_key("content-encoding"));
    assert_eq!(response.headers()["vary"], "accept-encoding");
    assert_eq!(length(response), 2004);
}

#[test]
fn a_head_without_a_body_says_what_its_get_would() {
    let head = |length: &'static str| {
        let mut response = response("text/plain", Vec::new());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static(length));
        headers.insert(header::ETAG, HeaderValue::from_static("\"7\""));
        response
    };
    let said = finish(head("5000"), Some(Coding::Gzip), &Method::HEAD);
    assert_eq!(said.headers()["content-encoding"], "gzip");
    assert_eq!(said.headers()["etag"], "W/\"7\"");
    assert!(!said.headers().contains_key("content-length"));
    let plain = finish(head("5000"), None, &Method::HEAD);
    assert_eq!(plain.headers()["content-length"], "5000");
    assert_eq!(plain.headers()["vary"], "accept-encoding");
    let short = finish(head("50"), Some(Coding::Gzip), &Method::HEAD);
    assert_eq!(*short.headers(), *head("50").headers());
}

#[test]
fn text_of_all_kinds_gains() {
    for content_type in [
        "text/html; charset=utf-8",
        "application/problem+json",
        "Image/SVG+XML",
        "application/wasm",
    ] {
        let response = get(response(content_type, vec![b' '; 2000]));
        assert_eq!(
            response.headers()["content-encoding"],
            "gzip",
            "{content_type}"
        );
    }
}

#[test]
fn a_strong_etag_becomes_a_weak_one() {
    for (before, after) in [("\"7\"", "W/\"7\""), ("W/\"7\"", "W/\"7\"")] {
        let mut response = json(2000);
        let headers = response.headers_mut();
        headers.insert(header::ETAG, HeaderValue::from_static(before));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("2004"));
        let response = get(response);
        assert_eq!(response.headers()["etag"], after);
        assert!(!response.headers().contains_key("content-length"));
    }
}

#[test]
fn a_tag_that_the_host_judges_stays_strong() {
    for (coding, after) in [
        (Coding::Gzip, "\"7-gzip\""),
        (Coding::Br, "\"7-br\""),
        (Coding::Zstd, "\"7-zstd\""),
    ] {
        let mut response = json(2000);
        let headers = response.headers_mut();
        headers.insert(header::ETAG, HeaderValue::from_static("\"7\""));
        super::finish(&mut response, Some(coding), &Method::GET, Judge::Host);
        assert_eq!(response.headers()["etag"], after);
    }
}

/// A body whose writer pauses for ever after these bytes.
fn paused(bytes: Bytes) -> TestBody {
    TestBody::written(stream::iter([Ok(bytes)]).chain(stream::pending()))
}

#[test]
fn what_is_written_is_sent_when_its_writer_pauses() {
    for coding in [Coding::Gzip, Coding::Br, Coding::Zstd] {
        let mut response = response("text/plain", Vec::new());
        *response.body_mut() = paused(Bytes::from_static(b"one line of a report\n"));
        let mut body = finish(response, Some(coding), &Method::GET).into_body();
        let mut sent = 0;
        while let Some(frame) = body.frame().now_or_never() {
            sent += frame.unwrap().unwrap().into_data().unwrap().len();
        }
        assert!(sent > 20, "{coding:?} sent {sent} bytes");
    }
}

#[test]
fn a_body_that_breaks_off_does_not_look_complete() {
    let broken = stream::iter([
        Ok(Bytes::from(vec![b' '; 5000])),
        Err(io::Error::other("gone")),
    ]);
    let mut response = response("text/plain", Vec::new());
    *response.body_mut() = TestBody::written(broken);
    let mut body = std::pin::pin!(get(response).into_body());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let ended = loop {
        match body.as_mut().poll_frame(&mut context) {
            Poll::Ready(Some(Ok(_))) => {}
            other => break other,
        }
    };
    assert!(matches!(ended, Poll::Ready(Some(Err(_)))), "{ended:?}");
}
