//! Where requests begin and end, read along with hyper and more strictly.
//!
//! hyper reads as RFC 9112 allows, which is laxer than what stands behind or before
//! a gateway may read: two readers who disagree let one request hide in another.
//! What could be read in two ways is refused here, before hyper sees the end of it.
//! Knows nothing of what a request means.

mod http1;
mod http2;

use tokio::io::ReadBuf;

use http1::Http1;
use http2::Http2;

/// What hyper refuses wherever it stands, with the end of a head.
const REFUSED: &[u8] = b"\0\r\n\r\n";

/// Reads one connection's bytes as they come in.
pub(super) struct Framing(Protocol);

enum Protocol {
    Http1(Http1),
    Http2(Http2),
    /// Something was refused, for this reason: nothing that follows is read.
    Refused(Option<&'static str>),
}

/// How reading went on.
enum Step {
    /// All bytes are fine.
    Fine,
    /// HTTP/2 begins after this many of the bytes.
    Http2(usize),
    /// The byte at this place makes the request ambiguous.
    Ambiguous(usize),
}

/// Where bytes end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Within the head of a request.
    InHead,
    /// Anywhere else.
    Between,
    /// In HTTP/2, where the heads of some requests come between the bodies of others.
    Http2,
}

/// Why a connection is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flood(pub(super) &'static str);

impl Framing {
    pub(super) fn new() -> Self {
        Self(Protocol::Http1(Http1::default()))
    }

    /// Whether nothing more is read: to hyper the client has said all.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.0, Protocol::Refused(_))
    }

    /// What is wrong with what was refused, where there is a word for it.
    pub(super) fn fault(&self) -> Option<&'static str> {
        match self.0 {
            Protocol::Refused(fault) => fault,
            _ => None,
        }
    }

    /// The HTTP/1 requests of which all was read.
    pub(super) fn whole(&self) -> u64 {
        match &self.0 {
            Protocol::Http1(http1) => http1.whole(),
            Protocol::Http2(_) | Protocol::Refused(_) => u64::MAX,
        }
    }

    /// Where the bytes that were read so far end.
    pub(super) fn end(&self) -> End {
        match &self.0 {
            Protocol::Http1(http1) if http1.is_in_head() => End::InHead,
            Protocol::Http1(_) | Protocol::Refused(_) => End::Between,
            Protocol::Http2(_) => End::Http2,
        }
    }

    /// Whether a request has begun whose body is not there whole.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(&self.0, Protocol::Http1(http1) if http1.is_in_body())
    }

    /// Looks at what was read into `buffer` beyond its first `before` bytes, in the
    /// connection's `beat`. Of an ambiguous HTTP/1 request hyper gets a part that it
    /// refuses with 400, and nothing after it.
    pub(super) fn read(
        &mut self,
        buffer: &mut ReadBuf<'_>,
        before: usize,
        beat: u32,
    ) -> Result<(), Flood> {
        let bytes = &buffer.filled()[before..];
        match &mut self.0 {
            Protocol::Http1(http1) => match http1.read(bytes) {
                Step::Fine => {}
                Step::Http2(from) => {
                    let mut http2 = Http2::default();
                    let read = http2.read(&bytes[from..], beat);
                    self.0 = Protocol::Http2(http2);
                    return read;
                }
                Step::Ambiguous(at) => {
                    self.0 = Protocol::Refused(http1.fault());
                    buffer.set_filled(before + at);
                    let fits = REFUSED.len().min(buffer.remaining());
                    buffer.put_slice(&REFUSED[..fits]);
                }
            },
            Protocol::Http2(http2) => return http2.read(bytes, beat),
            // Not asked for, and not passed on.
            Protocol::Refused(_) => buffer.set_filled(before),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What hyper gets of these reads.
    fn passed(reads: &[&[u8]]) -> Vec<u8> {
        let mut framing = Framing::new();
        let mut passed = Vec::new();
        for read in reads {
            let mut space = [0; 512];
            let mut buffer = ReadBuf::new(&mut space);
            buffer.put_slice(read);
            framing.read(&mut buffer, 0, 0).unwrap();
            passed.extend_from_slice(buffer.filled());
        }
        passed
    }

    #[test]
    fn what_is_clear_passes_as_it_is_in_reads_of_any_size() {
        let requests = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\
            POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na\nb\
            POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:  Chunked \r\n\r\n\
            3;x=y\r\n\n\n\n\r\nA\r\n0123456789\r\n0\r\nx-trailer: 1\r\n\r\n\
            GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for size in 1..requests.len() {
            let reads: Vec<_> = requests.chunks(size).collect();
            assert_eq!(passed(&reads), requests, "in reads of {size}");
        }
    }

    #[test]
    fn requests_are_counted_at_their_ends() {
        let parts: [(&[u8], u64); 6] = [
            (b"GET / HTTP/1.1\r\n", 0),
            (b"Host: a\r\n\r\n\r\n", 1),
            (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", 1),
            (b"cGET / HTTP/1.1\r\n\r\nG", 3),
            (
                b"ET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
                3,
            ),
            (b"\r\n", 4),
        ];
        let mut framing = Framing::new();
        for (part, whole) in parts {
            let mut space = [0; 512];
            let mut buffer = ReadBuf::new(&mut space);
            buffer.put_slice(part);
            framing.read(&mut buffer, 0, 0).unwrap();
            assert_eq!(framing.whole(), whole, "{part:?}");
        }
    }

    #[test]
    fn what_is_ambiguous_ends_where_it_is() {
        for (before, after) in [
            ("GET / HTTP/1.1", "\nHost: a\r\n\r\n"),
            ("GET / HTTP/1.1\r\nHost: a", "\nX: y\r\n\r\n"),
            ("GET / HTTP/1.1\r\nHost: a\r\n", "\nGET"),
            ("", "\nGET / HTTP/1.1\r\n"),
            ("GET /a#b HTTP/1.1\r", "\nHost: a\r\n\r\n"),
            ("GET http://a/?b#c HTTP/1.1\r", "\nHost: a\r\n\r\n"),
            (
                "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r",
                "\nabc",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r",
                "\nabc",
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r",
                "\n\r\nabc",
            ),
            ("POST / HTTP/1.1\r\nContent-Length: 3, 3\r", "\n\r\nabc"),
            ("POST / HTTP/1.1\r\nContent-Length: +3\r", "\n\r\nabc"),
            ("POST / HTTP/1.1\r\nContent-Length:\r", "\n\r\nabc"),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r",
                "\n\r\n",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r",
                "\n\r\n",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r",
                "\n\r\n",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3",
                "\nabc\r\n0\r\n\r\n",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-3\r",
                "\nabc\r\n0\r\n\r\n",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r",
                "\nabc\r\n0\r\n\r\n",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: y",
                "\n\r\n",
            ),
        ] {
            let whole = [before, after].concat();
            let refused = passed(&[whole.as_bytes(), b"GET / HTTP/1.1\r\n\r\n"]);
            assert_eq!(refused, [before.as_bytes(), REFUSED].concat(), "{whole:?}");
        }
    }
}
