//! Entity tags of answers, RFC 9110 section 8.8.3, and the head of a 304.

use http::Response;
use http::header::{self, HeaderMap, HeaderValue};

use crate::body::MaybeWhole;

/// Bytes of a body's hash that its tag has: 128 bits never meet by chance.
const TAG_BYTES: usize = 16;

/// Gives an answer that is there whole its tag, unless it has one.
pub fn tag<B: MaybeWhole>(response: &mut Response<B>) {
    if response.headers().contains_key(header::ETAG) {
        return;
    }
    let Some(body) = response.body().as_whole().filter(|body| !body.is_empty()) else {
        return;
    };
    let hash = blake3::hash(body);
    let mut tag = [b'"'; 2 * TAG_BYTES + 2];
    let digits = hex::encode_to_slice(&hash.as_bytes()[..TAG_BYTES], &mut tag[1..=2 * TAG_BYTES]);
    if let (Ok(()), Ok(tag)) = (digits, HeaderValue::from_bytes(&tag)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
}

/// The headers that a 304 has, RFC 9110 section 15.4.5, and those that tell how
/// it came.
pub fn of_not_modified(headers: &HeaderMap) -> HeaderMap {
    const KEPT: [&str; 8] = [
        "etag",
        "cache-control",
        "content-location",
        "date",
        "expires",
        "vary",
        "age",
        "cache-status",
    ];
    let kept = headers
        .iter()
        .filter(|(name, _)| KEPT.contains(&name.as_str()));
    let mut left = HeaderMap::with_capacity(KEPT.len());
    kept.for_each(|(name, value)| {
        left.append(name, value.clone());
    });
    left
}
