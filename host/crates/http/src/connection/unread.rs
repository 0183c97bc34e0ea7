//! What a client is told whose request can't be read.
//!
//! hyper answers it with a bare status. Who serves the connection has more to say, so
//! the answer is exchanged on its way out. What belongs to a request
//! that was read passes: its response may say anything.

use std::sync::Arc;

use bytes::Bytes;

/// Begin of the responses that are looked at.
const CLIENT_ERROR: &[u8] = b"HTTP/1.1 4";
const HEAD_END: &[u8] = b"\r\n\r\n";

/// What a host says of requests that can't be read.
pub trait Refusals: Send + Sync {
    /// A header of every response of the host, as hyper writes it after the line before:
    /// `\r\nx-request-id: `.
    fn mark(&self) -> &'static [u8];

    /// The whole response to a request that was refused with `status` before it was read,
    /// as it goes over the wire. `fault` is what is known of it.
    fn unread(&self, status: u16, fault: Option<&str>, over_tls: bool) -> Bytes;
}

/// One connection's writes.
pub struct Unread {
    refusals: Arc<dyn Refusals>,
    over_tls: bool,
    instead: Option<Bytes>,
    /// The requests whose responses have left to the last byte.
    flushed: u64,
}

impl Unread {
    /// On a connection of which `refusals` are said, `over_tls` or not.
    pub fn new(refusals: Arc<dyn Refusals>, over_tls: bool) -> Self {
        Self {
            refusals,
            over_tls,
            instead: None,
            flushed: 0,
        }
    }

    /// What is to be sent in the place of what hyper sends, where no request is
    /// answered but those that were `answered`. `fault` is what is known of the request's.
    pub(super) fn instead_of(
        &mut self,
        sent: &[u8],
        fault: Option<&str>,
        answered: impl FnOnce() -> Option<u64>,
    ) -> Option<Bytes> {
        if let Some(rest) = self.instead.take() {
            return Some(rest);
        }
        let status = bare(sent, self.refusals.mark())?;
        let begins = answered() == Some(self.flushed);
        begins.then(|| self.refusals.unread(status, fault, self.over_tls))
    }

    /// Keeps what the socket did not take yet.
    pub(super) fn keep(&mut self, rest: Bytes) {
        self.instead = Some(rest);
    }

    /// All that hyper has written has left.
    pub(super) fn flushed(&mut self, answered: Option<u64>) {
        self.flushed = answered.unwrap_or(self.flushed);
    }
}

/// The status of a response without the `mark` of the host's.
fn bare(sent: &[u8], mark: &[u8]) -> Option<u16> {
    if !sent.starts_with(CLIENT_ERROR) {
        return None;
    }
    let head = sent.strip_suffix(HEAD_END)?;
    let contains = |what: &[u8]| head.windows(what.len()).any(|part| part == what);
    if contains(mark) || contains(HEAD_END) {
        return None;
    }
    std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &[u8] = b"\r\nx-request-id: ";

    #[test]
    fn only_a_bare_refusal_is_exchanged() {
        let refusal = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(bare(refusal, MARK).unwrap(), 431);
        for other in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 404 Not Found\r\nx-request-id: 7\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            b"HTTP/1.1 400 Bad Request\r\nx: y\r\n\r\nHTTP/1.1 400 Bad Request\r\nx: y\r\n\r\n",
            b"HTTP/1.1 4",
            b"4",
            b"",
        ] {
            assert_eq!(bare(other, MARK), None);
        }
    }
}
