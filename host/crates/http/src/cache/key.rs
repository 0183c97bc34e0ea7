//! Which requests get the same answer.
//!
//! Scheme, host, path and query as they came (RFC 9111 section 2: the target URI), one route of one revision, and the
//! request headers that the answer depends on. A query in another order is another
//! request: only the service knows whether order matters.

use http::Uri;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

use super::Key;
use crate::client::Client;

/// The key of a request to an endpoint, whose answers differ by these headers.
pub fn primary<P>(endpoint: u64, client: &Client<P>, parts: &Parts, vary: &[HeaderName]) -> Key {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&endpoint.to_le_bytes());
    hasher.update(&[u8::from(client.over_tls())]);
    field(
        &mut hasher,
        client.told_host().unwrap_or_default().as_bytes(),
    );
    field(&mut hasher, &named_host(parts).to_ascii_lowercase());
    field(&mut hasher, target(&parts.uri).as_bytes());
    headers(&mut hasher, &parts.headers, vary);
    *hasher.finalize().as_bytes()
}

/// The host and port that a client asks for, of a proxy or of this host.
pub fn host<'r, P>(client: &'r Client<P>, parts: &'r Parts) -> &'r [u8] {
    client
        .told_host()
        .map_or_else(|| named_host(parts), str::as_bytes)
}

/// Path and query.
pub fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}

fn named_host(parts: &Parts) -> &[u8] {
    let header = || parts.headers.get(header::HOST).map(HeaderValue::as_bytes);
    match parts.uri.authority() {
        Some(authority) => authority.as_str().as_bytes(),
        None => header().unwrap_or_default(),
    }
}

/// The key where answers differ by further headers.
pub fn secondary(primary: &Key, request: &HeaderMap, vary: &[HeaderName]) -> Key {
    let mut hasher = blake3::Hasher::new();
    hasher.update(primary);
    headers(&mut hasher, request, vary);
    *hasher.finalize().as_bytes()
}

/// Values as RFC 9111 section 4.1 compares them: several are one list.
fn headers(hasher: &mut blake3::Hasher, request: &HeaderMap, names: &[HeaderName]) {
    for name in names {
        field(hasher, name.as_str().as_bytes());
        let mut list = Vec::new();
        for value in request.get_all(name) {
            if !list.is_empty() {
                list.push(b',');
            }
            list.extend(
                value
                    .as_bytes()
                    .iter()
                    .filter(|byte| !byte.is_ascii_whitespace()),
            );
        }
        // An empty value is not the same as none.
        hasher.update(&[u8::from(request.contains_key(name))]);
        field(hasher, &list);
    }
}

/// A length keeps the fields apart.
fn field(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher
        .update(&(bytes.len() as u64).to_le_bytes())
        .update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn what_the_answer_depends_on_makes_the_key() {
        let vary = [header::ACCEPT_LANGUAGE];
        let plain_http = Client::<()>::new(([127, 0, 0, 1], 1).into());
        let key = |endpoint, target, headers| {
            primary(endpoint, &plain_http, &request(target, headers), &vary)
        };
        let plain = key(1, "/a?x=1&y=2", &[]);
        assert_eq!(plain, key(1, "/a?x=1&y=2", &[("accept", "text/html")]));
        for other in [
            key(2, "/a?x=1&y=2", &[]),
            key(1, "/a?y=2&x=1", &[]),
            key(1, "/a?x=1&y=2", &[("host", "b")]),
            key(1, "/a?x=1&y=2", &[("accept-language", "")]),
            key(1, "/a?x=1&y=2", &[("accept-language", "de")]),
        ] {
            assert_ne!(plain, other);
        }
        let over_tls = plain_http.clone().secured(None);
        let secure = primary(1, &over_tls, &request("/a?x=1&y=2", &[]), &vary);
        assert_ne!(plain, secure, "http and https are two resources");
        assert_eq!(
            key(1, "/", &[("accept-language", "de, fr"), ("host", "B")]),
            key(
                1,
                "/",
                &[
                    ("accept-language", "de"),
                    ("accept-language", "fr"),
                    ("host", "b")
                ]
            )
        );
    }
}
