//! An answer as it is kept: a head in JSON with its length, then the body.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::respond::Response;
use stoa_store::KeyDigest;

/// Headers of one connection or moment, which a replay gets anew.
const ANEW: [&str; 5] = [
    "connection",
    "date",
    "keep-alive",
    "transfer-encoding",
    "age",
];

/// A kept answer.
#[derive(Debug, PartialEq)]
pub(super) struct Record {
    pub(super) head: Head,
    pub(super) body: Bytes,
}

/// A kept answer without its body.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    /// Of the request.
    pub(super) fingerprint: KeyDigest,
    pub(super) status: u16,
    /// Values byte by byte as characters, since they need not be UTF-8.
    headers: Vec<(String, String)>,
    /// Whether the body was too long to be kept: then it can't be replayed.
    pub(super) cut: bool,
}

impl Record {
    /// A response whose body is there whole, or was too long.
    pub(super) fn of(response: &Response, fingerprint: KeyDigest) -> Self {
        let headers = response.headers().iter();
        let headers = headers
            .filter(|(name, _)| !ANEW.contains(&name.as_str()))
            .map(|(name, value)| {
                let value = value.as_bytes().iter().copied().map(char::from);
                (name.to_string(), value.collect())
            });
        let whole = response.body().as_whole();
        Self {
            head: Head {
                fingerprint,
                status: response.status().as_u16(),
                headers: headers.collect(),
                cut: whole.is_none(),
            },
            body: whole.cloned().unwrap_or_default(),
        }
    }

    pub(super) fn headers(&self) -> HeaderMap {
        let headers = self.head.headers.iter();
        let headers = headers.filter_map(|(name, value)| {
            let value: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
            let name = HeaderName::try_from(name).ok()?;
            Some((name, HeaderValue::from_bytes(&value?).ok()?))
        });
        let mut map = HeaderMap::new();
        headers.for_each(|(name, value)| {
            map.append(name, value);
        });
        map
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let head = serde_json::to_vec(&self.head).expect("numbers and strings are always JSON");
        let length = u32::try_from(head.len()).expect("a head is within the limit of headers");
        [&length.to_be_bytes()[..], &head, &self.body].concat()
    }

    pub(super) fn decode(bytes: Vec<u8>) -> Option<Self> {
        let bytes = Bytes::from(bytes);
        let length = u32::from_be_bytes(*bytes.first_chunk()?);
        let end = usize::try_from(length).ok()?.checked_add(4)?;
        let head = serde_json::from_slice(bytes.get(4..end)?).ok()?;
        Some(Self {
            head,
            body: bytes.slice(end..),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::respond::GatewayBody;

    proptest! {
        #[test]
        fn an_answer_comes_back_as_it_was(
            status in 200u16..600,
            values in proptest::collection::vec("[ -~\u{80}-\u{ff}]{0,8}", 0..4),
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut response = http::Response::builder().status(status);
            for value in &values {
                let bytes: Vec<u8> = value.chars().map(|c| c as u8).collect();
                response = response.header("x-some", HeaderValue::from_bytes(&bytes).unwrap());
            }
            let response = response.body(GatewayBody::whole(body.clone())).unwrap();
            let record = Record::of(&response, [3; 32]);
            let back = Record::decode(record.encode()).unwrap();
            prop_assert_eq!(&back, &record);
            prop_assert_eq!(&back.headers(), response.headers());
            prop_assert_eq!(&back.body[..], &body[..]);
        }

        #[test]
        fn damage_is_no_answer_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            Record::decode(bytes);
        }
    }
}
