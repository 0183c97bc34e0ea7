//! `Vary`: which headers of a request a response depends on, for caches.

use http::header::{HeaderMap, HeaderName, HeaderValue, VARY};

/// Notes that a response depends on a header of its request.
pub fn vary(headers: &mut HeaderMap, on: &HeaderName) {
    let named = |value: &HeaderValue| {
        let Ok(value) = value.to_str() else {
            return false;
        };
        value
            .split(',')
            .map(str::trim)
            .any(|name| name == "*" || name.eq_ignore_ascii_case(on.as_str()))
    };
    if !headers.get_all(VARY).iter().any(named) {
        headers.append(VARY, on.clone().into());
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT_ENCODING, ORIGIN};

    use super::*;

    #[test]
    fn a_header_is_named_once() {
        let mut headers = HeaderMap::new();
        headers.insert(VARY, HeaderValue::from_static("Accept, ORIGIN"));
        vary(&mut headers, &ORIGIN);
        vary(&mut headers, &ACCEPT_ENCODING);
        vary(&mut headers, &ACCEPT_ENCODING);
        let all: Vec<_> = headers.get_all(VARY).iter().collect();
        assert_eq!(all, ["Accept, ORIGIN", "accept-encoding"]);
        headers.insert(VARY, HeaderValue::from_static("*"));
        vary(&mut headers, &ORIGIN);
        assert_eq!(headers.get_all(VARY).iter().count(), 1);
    }
}
