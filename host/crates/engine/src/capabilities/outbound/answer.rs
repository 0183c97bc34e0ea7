//! Responses from outside that must not be passed on.

use http::{Response, header};

/// What is wrong with a response's head, if anything is. Nobody here asks for another
/// protocol, so a response that begins one is none (RFC 9110, section 15.2.2). With two
/// lengths, two readers may see different ends (RFC 9112, section 6.3).
pub fn fault<B>(response: &Response<B>) -> Option<&'static str> {
    let has = |name| response.headers().contains_key(name);
    if response.status().is_informational() {
        Some("its answer is of another protocol, which was not asked for")
    } else if has(header::CONTENT_LENGTH) && has(header::TRANSFER_ENCODING) {
        Some("its answer has both a length and an encoding that tells its end")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_passed_on_is_found() {
        let of = |status: u16, headers: &[(&str, &str)]| {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            fault(&response.body(()).unwrap()).is_some()
        };
        let (length, chunked) = (("content-length", "3"), ("transfer-encoding", "chunked"));
        assert!(!of(200, &[length]) && !of(200, &[chunked]) && !of(204, &[]));
        assert!(of(200, &[length, chunked]));
        assert!(of(101, &[("upgrade", "websocket")]));
    }
}
