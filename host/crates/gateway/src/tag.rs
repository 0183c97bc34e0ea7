//! Entity tags of answers that a function gives, RFC 9110 section 8.8.3.

use http::header::{self, HeaderValue};

use super::respond::Response;

/// Bytes of a body's hash that its tag has: 128 bits never meet by chance.
const TAG_BYTES: usize = 16;

/// Gives an answer that is there whole its tag, unless it has one.
pub(super) fn tag(response: &mut Response) {
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
