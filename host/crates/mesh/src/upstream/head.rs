//! The head of a request to an upstream, and of which answers it may get.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri, Version};

use super::Upstream;
use super::body::Lent;
use super::headers::strip_hop_by_hop;
use super::instance::Instance;
use crate::fault::{CallError, UpstreamFault};
use stoa_engine::capabilities::outbound::answer;
use stoa_settings::spelling::normal;
use stoa_settings::upstream::HostHeader;

const UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// What a request asks an instance for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    /// A response.
    Answer,
    /// A WebSocket; an instance may decline with a response.
    WebSocket,
}

/// Whether a response switches to the protocol that was asked for, RFC 6455 section 4.1.
pub(super) fn begins_websocket<B>(response: &Response<B>) -> bool {
    let protocol = response.headers().get(header::UPGRADE);
    response.status().as_u16() == 101
        && protocol.is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// All of a request but its body, for one attempt after the other.
pub(super) struct Head {
    method: http::Method,
    path: PathAndQuery,
    headers: http::HeaderMap,
    host: Option<HeaderValue>,
    /// RFC 9110 section 9.2.2.
    pub(super) repeatable: bool,
    pub(super) wants: Wants,
}

impl Head {
    pub(super) fn of(
        upstream: &Upstream,
        parts: http::request::Parts,
        wants: Wants,
    ) -> Result<Self, UpstreamFault> {
        let mut headers = parts.headers;
        strip_hop_by_hop(&mut headers);
        // Answered by this host already, when it read the body.
        headers.remove(header::EXPECT);
        if wants == Wants::WebSocket {
            headers.insert(header::CONNECTION, UPGRADE);
            headers.insert(header::UPGRADE, WEBSOCKET);
        }
        let sent = headers.remove(header::HOST);
        let authority = parts.uri.authority();
        let named = || HeaderValue::try_from(authority?.as_str()).ok();
        let host = match upstream.settings.host {
            HostHeader::Client => sent.or_else(named),
            HostHeader::Target => None,
        };
        Ok(Self {
            path: path(&parts.uri, upstream.settings.strip_prefix.as_deref())?,
            headers,
            host,
            repeatable: parts.method.is_idempotent(),
            method: parts.method,
            wants,
        })
    }

    /// What is wrong with a response's head, if anything is.
    pub(super) fn fault<B>(&self, response: &Response<B>) -> Option<&'static str> {
        if self.wants == Wants::WebSocket && begins_websocket(response) {
            let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
            let key = self.headers.get(header::SEC_WEBSOCKET_KEY);
            let fits = key.is_none_or(|key| {
                accepted.is_some_and(|accepted| accepted.as_bytes() == accept(key).as_bytes())
            });
            return (!fits).then_some("its answer is to another Sec-WebSocket-Key");
        }
        answer::fault(response)
    }

    pub(super) fn request(
        &self,
        instance: &Instance,
        body: Lent,
    ) -> Result<Request<Lent>, CallError> {
        let mut parts = instance.origin.clone().into_parts();
        parts.path_and_query = Some(self.path.clone());
        let uri =
            Uri::from_parts(parts).map_err(|fault| UpstreamFault::Request(fault.to_string()))?;
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        // The connection has the last word on it.
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = self.headers.clone();
        if let Some(host) = &self.host {
            request.headers_mut().insert(header::HOST, host.clone());
        }
        Ok(request)
    }
}

/// What agrees to a key, RFC 6455 section 4.2.2: a sign of life, not of trust.
fn accept(key: &HeaderValue) -> String {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let text = [key.as_bytes(), GUID].concat();
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &text);
    STANDARD.encode(digest)
}

/// The path as the upstream sees it.
fn path(uri: &Uri, prefix: Option<&str>) -> Result<PathAndQuery, UpstreamFault> {
    let whole = uri.path_and_query().cloned();
    let whole = whole.unwrap_or_else(|| PathAndQuery::from_static("/"));
    let Some(rest) = prefix.and_then(|prefix| after(whole.as_str(), prefix)) else {
        return Ok(whole);
    };
    let slash = if rest.starts_with('/') { "" } else { "/" };
    PathAndQuery::try_from(format!("{slash}{rest}"))
        .map_err(|fault| UpstreamFault::Request(fault.to_string()))
}

/// What follows the prefix in a target, in whichever spelling it is there.
fn after<'t>(target: &'t str, prefix: &str) -> Option<&'t str> {
    let prefix = prefix.trim_end_matches('/');
    let path = target.split('?').next().unwrap_or(target);
    let mut ends = path.match_indices('/').map(|(at, _)| at);
    let end = ends.nth(prefix.matches('/').count());
    let (begin, _) = path.split_at(end.unwrap_or(path.len()));
    (normal(begin) == normal(prefix)).then(|| &target[begin.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_taken_off_at_a_segments_end() {
        let stripped = |uri: &str, prefix: Option<&str>| {
            path(&uri.parse().unwrap(), prefix).unwrap().to_string()
        };
        for (uri, prefix, seen) in [
            ("/legacy/a?b=c", Some("/legacy"), "/a?b=c"),
            ("/legacy", Some("/legacy"), "/"),
            ("/legacy?b", Some("/legacy/"), "/?b"),
            ("/legacyish/a", Some("/legacy"), "/legacyish/a"),
            ("/%6cegacy/%61", Some("/legacy"), "/%61"),
            ("/a/%C3%a9/b", Some("/a/%c3%A9"), "/b"),
            ("/a/b", Some("/"), "/a/b"),
            ("/a%2Fb", None, "/a%2Fb"),
            ("http://a.example", None, "/"),
        ] {
            assert_eq!(stripped(uri, prefix), seen, "{uri} without {prefix:?}");
        }
    }

    fn head(wants: Wants, key: Option<&'static str>) -> Head {
        let key = key.map(HeaderValue::from_static);
        Head {
            method: http::Method::GET,
            path: PathAndQuery::from_static("/"),
            headers: key
                .map(|key| (header::SEC_WEBSOCKET_KEY, key))
                .into_iter()
                .collect(),
            host: None,
            repeatable: true,
            wants,
        }
    }

    /// The key and its answer are those of RFC 6455 section 1.3.
    #[test]
    fn another_protocol_is_an_answer_only_as_it_was_asked_for() {
        let fault = |head: Head, protocol: &str, accept: &str| {
            let response = Response::builder().status(101).header("upgrade", protocol);
            let response = response.header("sec-websocket-accept", accept);
            head.fault(&response.body(()).unwrap())
        };
        let (key, accept) = (
            Some("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        );
        let asks = || head(Wants::WebSocket, key);
        assert_eq!(fault(asks(), "WebSocket", accept), None);
        assert!(fault(asks(), "websocket", "another").is_some());
        assert!(fault(asks(), "h2c", accept).is_some());
        assert!(fault(head(Wants::Answer, key), "websocket", accept).is_some());
    }
}
