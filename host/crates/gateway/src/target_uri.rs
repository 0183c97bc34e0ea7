//! The URI that a request is for, RFC 9110 section 7.1.

use http::request::Parts;
use http::{HeaderValue, Uri, header};

use super::client::Client;

/// The host and port that a client asks for, of a proxy or of this host.
pub(super) fn host<'r>(client: &'r Client, parts: &'r Parts) -> &'r [u8] {
    client
        .told_host()
        .map_or_else(|| named_host(parts), str::as_bytes)
}

/// The host and port that the request itself names.
pub(super) fn named_host(parts: &Parts) -> &[u8] {
    let header = || parts.headers.get(header::HOST).map(HeaderValue::as_bytes);
    match parts.uri.authority() {
        Some(authority) => authority.as_str().as_bytes(),
        None => header().unwrap_or_default(),
    }
}

/// Path and query.
pub(super) fn path_and_query(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}
