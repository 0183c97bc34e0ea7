//! Compression of responses: gzip, br or zstd, as the client takes it.
//!
//! The last stage of a response. A short body is compressed at once; a longer one,
//! or one that is still written, as it is sent, so that no body keeps a
//! connection's task for long. What its writer has written is sent on when it
//! pauses. Knows nothing of what the body says.

mod accept;
mod decode;

use std::convert::Infallible;
use std::future::ready;
use std::mem;

use bytes::Bytes;
use futures::FutureExt;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Extensions, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::Service;
use tower_http::CompressionLevel;
use tower_http::compression::Compression;
pub use tower_http::compression::CompressionBody;

use crate::body::MaybeWhole;
use crate::vary::vary;
pub use accept::Coding;
pub use decode::{DecodeError, content_coding, decode};

/// Bytes that are worth it: less fits into one packet anyhow.
const LEAST: u64 = 1024;
/// Bytes that are compressed at once: a fraction of a millisecond.
const AT_ONCE: usize = 64 << 10;

/// Digests are of the bytes as they are encoded, RFC 9530: who gives one means these.
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// A body of a response that can be compressed.
pub trait Compressible: MaybeWhole + Sized {
    /// What it says, without what else it carries.
    type Content: Body<Data = Bytes>;

    /// Of bytes that are there.
    fn whole(bytes: Bytes) -> Self;

    /// What is to be compressed.
    fn into_content(self) -> Self::Content;

    /// Of content that is compressed as it is sent.
    fn compressed(body: CompressionBody<Self::Content>) -> Self;
}

/// On a 304: the response in whose place it is would gain.
#[derive(Debug, Clone, Copy)]
pub struct WouldGain;

/// Who judges a tag when it comes back in a condition, and so how it tells that a body
/// is the same thing in other bytes, RFC 9110 section 8.8.3.3.
#[derive(Debug, Clone, Copy)]
pub enum Judge {
    /// The host, which knows the tag again that the coding is appended to: it stays
    /// strong, and who has read a compressed answer can change what it is of.
    Host,
    /// The service, which knows its own tags only: it becomes weak.
    Service,
}

/// Compresses a response, if it gains by it and the client takes it.
pub fn finish<B: Compressible>(
    response: &mut Response<B>,
    coding: Option<Coding>,
    method: &Method,
    judge: Judge,
) {
    if response.extensions_mut().remove::<WouldGain>().is_some() {
        in_place(response, coding, judge);
    } else if gains(response) {
        compress(response, coding, judge);
    } else if method == Method::HEAD {
        head_alone(response, coding, judge);
    }
}

/// In a frame of its own: encoders are large, and most responses short.
#[inline(never)]
fn compress<B: Compressible>(response: &mut Response<B>, coding: Option<Coding>, judge: Judge) {
    vary(response.headers_mut(), &header::ACCEPT_ENCODING);
    let Some(coding) = coding else { return };
    let body = response.body_mut();
    let whole = body.as_whole().filter(|whole| whole.len() <= AT_ONCE);
    *body = match whole.cloned() {
        Some(whole) => match at_once(coding, whole.clone()) {
            Some(short) if short.len() < whole.len() => B::whole(short),
            _ => return,
        },
        None => {
            let body = mem::replace(body, B::whole(Bytes::new()));
            B::compressed(encoded(coding, body.into_content()))
        }
    };
    mark(response.headers_mut(), coding, judge);
}

/// A 304 has the tag of the response that it stands for, RFC 9110 section 15.4.5.
fn in_place<B>(response: &mut Response<B>, coding: Option<Coding>, judge: Judge) {
    vary(response.headers_mut(), &header::ACCEPT_ENCODING);
    if let Some(coding) = coding {
        tell_apart(response.headers_mut(), coding, judge);
    }
}

/// An answer to HEAD that says how long the body is that it does not have:
/// that of a GET would have another length.
fn head_alone<B>(response: &mut Response<B>, coding: Option<Coding>, judge: Judge) {
    let length = response.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length >= LEAST) && suits(response) {
        vary(response.headers_mut(), &header::ACCEPT_ENCODING);
        if let Some(coding) = coding {
            mark(response.headers_mut(), coding, judge);
        }
    }
}

/// Says in the headers what happened to the body.
fn mark(headers: &mut HeaderMap, coding: Coding, judge: Judge) {
    headers.insert(header::CONTENT_ENCODING, coding.value());
    headers.remove(header::CONTENT_LENGTH);
    // A range is one of the bytes that are sent.
    headers.remove(header::ACCEPT_RANGES);
    tell_apart(headers, coding, judge);
}

/// Gives other bytes another tag; a weak one is for both.
fn tell_apart(headers: &mut HeaderMap, coding: Coding, judge: Judge) {
    let Some(etag) = headers.get(header::ETAG).map(HeaderValue::as_bytes) else {
        return;
    };
    let other = match (judge, etag.strip_suffix(b"\"")) {
        _ if etag.starts_with(b"W/") => return,
        (Judge::Host, Some(opaque)) => [opaque, coding.suffix().as_bytes(), b"\""].concat(),
        _ => [b"W/", etag].concat(),
    };
    if let Ok(other) = HeaderValue::try_from(other) {
        headers.insert(header::ETAG, other);
    }
}

/// Whether a response gains by compression, whoever asked for it.
pub fn gains<B: Body>(response: &Response<B>) -> bool {
    let size = response.body().size_hint().exact();
    size.is_none_or(|size| size >= LEAST) && suits(response)
}

/// Whether a response may be compressed, whatever its size.
fn suits<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    let has_content = !matches!(response.status().as_u16(), 100..=199 | 204..=206 | 304);
    has_content
        && headers
            .get(header::CONTENT_TYPE)
            .is_some_and(is_compressible)
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(header::CONTENT_RANGE)
        && !DIGESTS.iter().any(|name| headers.contains_key(name))
        && !headers.get_all(header::CACHE_CONTROL).iter().any(forbids)
}

fn forbids(cache_control: &HeaderValue) -> bool {
    let text = cache_control.to_str().unwrap_or_default();
    text.split(',')
        .any(|directive| directive.trim().eq_ignore_ascii_case("no-transform"))
}

/// Types of text, and the few others that are not compressed already. Not event
/// streams: each event is short, and must not wait for the next.
fn is_compressible(content_type: &HeaderValue) -> bool {
    const OTHERS: [&str; 9] = [
        "application/json",
        "application/javascript",
        "application/xml",
        "application/wasm",
        "application/x-ndjson",
        "application/yaml",
        "application/graphql",
        "image/bmp",
        "font/ttf",
    ];
    let text = content_type.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let is_text = essence.starts_with("text/") && essence != "text/event-stream";
    is_text
        || OTHERS.contains(&essence.as_str())
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
}

fn at_once(coding: Coding, bytes: Bytes) -> Option<Bytes> {
    let encoded = encoded(coding, Full::new(bytes));
    // Nothing waits: the whole body is there.
    let collected = encoded.collect().now_or_never()?.ok()?;
    Some(collected.to_bytes())
}

/// The encoder of tower-http, which is only to be had as a service.
fn encoded<B: Body>(coding: Coding, body: B) -> CompressionBody<B> {
    fn always(_: StatusCode, _: Version, _: &HeaderMap, _: &Extensions) -> bool {
        true
    }
    let mut body = Some(body);
    let service = tower::service_fn(move |_: Request<()>| {
        let body = body.take().expect("the service is called once");
        ready(Ok::<_, Infallible>(Response::new(body)))
    });
    // Levels at which a core does some hundred MB a second.
    let level = CompressionLevel::Precise(match coding {
        Coding::Gzip | Coding::Zstd => 1,
        Coding::Br => 2,
    });
    let mut request = Request::new(());
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT_ENCODING, coding.value());
    let mut service = Compression::new(service)
        .compress_when(always)
        .quality(level);
    let Ok(response) = service
        .call(request)
        .now_or_never()
        .expect("a response that is there needs no waiting");
    response.into_body()
}

#[cfg(test)]
mod tests;
