//! Headers that belong to one connection, RFC 9110 section 7.6.1: they must not
//! be passed on, neither with a request nor with a response.

use http::header::{self, HeaderMap, HeaderName};

const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// What a client can't have removed by calling it a header of its connection.
const END_TO_END: [HeaderName; 6] = [
    header::HOST,
    header::AUTHORIZATION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::CACHE_CONTROL,
];

/// Removes the headers of this connection only: known ones, and those that its
/// other end declared so. Most messages have none, and cost one look at each header.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let mut found: Vec<_> = headers
        .keys()
        .filter(|name| HOP_BY_HOP.contains(name))
        .cloned()
        .collect();
    if found.is_empty() {
        return;
    }
    let values = headers.get_all(header::CONNECTION).iter();
    let names = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let names = names.filter_map(|name| HeaderName::try_from(name.trim()).ok());
    found.extend(names.filter(|name| !END_TO_END.contains(name)));
    for name in found {
        headers.remove(name);
    }
}
