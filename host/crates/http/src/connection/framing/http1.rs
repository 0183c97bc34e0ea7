//! The framing of HTTP/1, RFC 9112: lines of a head, then a body by its length or by
//! its chunks.

use std::io::BufRead as _;

use super::Step;

/// First line of HTTP/2, RFC 9113 section 3.4. In HTTP/1 it is refused by its version.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

const FRAGMENT: &str = "the target has a `#`: a fragment stays with the client (RFC 9112, section 3.2), and the sign itself \
                        is written %23";

#[derive(Default)]
pub(super) struct Http1 {
    place: Place,
    /// Requests that have begun.
    begun: u64,
    /// The line that is not there whole yet.
    part: Vec<u8>,
    length: Option<u64>,
    chunked: bool,
    fault: Option<&'static str>,
}

#[derive(Default, Clone, Copy)]
enum Place {
    /// Before a request's first line.
    #[default]
    Before,
    Head,
    /// Within so many bytes that are no lines; what follows them.
    Bytes(u64, Next),
    ChunkSize,
    Trailers,
}

#[derive(Clone, Copy)]
enum Next {
    Request,
    Chunk,
}

impl Http1 {
    pub(super) fn read(&mut self, bytes: &[u8]) -> Step {
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Place::Bytes(left, next) = self.place {
                let here = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                rest = &rest[here..];
                self.place = after(left - here as u64, next);
                continue;
            }
            let mut ahead = rest;
            let length = ahead
                .skip_until(b'\n')
                .expect("reading memory does not fail");
            let (line, ahead) = rest.split_at(length);
            if !line.ends_with(b"\n") {
                self.part.extend_from_slice(line);
                return Step::Fine;
            }
            let end = bytes.len() - ahead.len();
            let understood = if self.part.is_empty() {
                self.line(line)
            } else {
                self.part.extend_from_slice(line);
                let whole = std::mem::take(&mut self.part);
                self.line(&whole)
            };
            match understood {
                Some(Line::Http1) => rest = ahead,
                Some(Line::Http2) => return Step::Http2(end),
                None => return Step::Ambiguous(end - 1),
            }
        }
        Step::Fine
    }

    pub(super) fn is_in_head(&self) -> bool {
        match self.place {
            Place::Head => true,
            Place::Before => !self.part.is_empty(),
            Place::Bytes(..) | Place::ChunkSize | Place::Trailers => false,
        }
    }

    /// What is wrong with what could be read in two ways, where there is a word for it.
    pub(super) fn fault(&self) -> Option<&'static str> {
        self.fault
    }

    pub(super) fn is_in_body(&self) -> bool {
        match self.place {
            Place::Bytes(..) | Place::ChunkSize | Place::Trailers => true,
            Place::Before | Place::Head => false,
        }
    }

    /// Requests of which all has come.
    pub(super) fn whole(&self) -> u64 {
        match self.place {
            Place::Before => self.begun,
            _ => self.begun - 1,
        }
    }

    /// Takes a line with its end; `None` if it could be read in two ways.
    fn line(&mut self, line: &[u8]) -> Option<Line> {
        // A lone LF ends a line for some and not for others, section 2.2.
        let line = line.strip_suffix(b"\r\n")?;
        self.place = match (self.place, line) {
            (Place::Before, []) => Place::Before,
            (Place::Before, line) => {
                (self.length, self.chunked) = (None, false);
                self.begun += 1;
                if PREFACE.strip_suffix(b"\r\n") == Some(line) {
                    return Some(Line::Http2);
                }
                // No target has a fragment, section 3.2: some readers cut it off.
                if target(line).contains(&b'#') {
                    self.fault = Some(FRAGMENT);
                    return None;
                }
                Place::Head
            }
            (Place::Head, []) => self.body()?,
            (Place::Head, line) => {
                self.field(line)?;
                Place::Head
            }
            (Place::ChunkSize, line) => match chunk_size(line)? {
                0 => Place::Trailers,
                // The chunk ends with a CRLF of its own, which hyper looks at.
                size => after(size.checked_add(2)?, Next::Chunk),
            },
            (Place::Trailers, []) => Place::Before,
            (place, _) => place,
        };
        Some(Line::Http1)
    }

    /// What comes after a head. Both a length and an encoding are how requests are
    /// smuggled, section 6.3.
    fn body(&self) -> Option<Place> {
        match (self.chunked, self.length) {
            (true, Some(_)) => None,
            (true, None) => Some(Place::ChunkSize),
            (false, length) => Some(after(length.unwrap_or(0), Next::Request)),
        }
    }

    /// Takes note of a field that tells where the body ends. One of each at most, and
    /// no encoding but the one that hyper decodes.
    fn field(&mut self, line: &[u8]) -> Option<()> {
        if let Some(value) = value(line, b"content-length:") {
            let length = decimal(value)?;
            if self.length.replace(length).is_some() {
                return None;
            }
        } else if let Some(value) = value(line, b"transfer-encoding:") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return None;
            }
            self.chunked = true;
        }
        Some(())
    }
}

/// What a line belongs to.
enum Line {
    Http1,
    Http2,
}

fn after(left: u64, next: Next) -> Place {
    match (left, next) {
        (0, Next::Request) => Place::Before,
        (0, Next::Chunk) => Place::ChunkSize,
        (left, next) => Place::Bytes(left, next),
    }
}

/// The target in a request's first line: what stands between its method and its version.
fn target(line: &[u8]) -> &[u8] {
    let method = line.iter().position(|byte| *byte == b' ').unwrap_or(0);
    let version = line.iter().rposition(|byte| *byte == b' ').unwrap_or(0);
    line.get(method..version).unwrap_or_default()
}

/// The value of a field of this name, without white space around it.
fn value<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    if !found.eq_ignore_ascii_case(name) {
        return None;
    }
    let space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let begin = value
        .iter()
        .position(|byte| !space(byte))
        .unwrap_or(value.len());
    let end = value
        .iter()
        .rposition(|byte| !space(byte))
        .map_or(begin, |last| last + 1);
    Some(&value[begin..end])
}

fn decimal(digits: &[u8]) -> Option<u64> {
    number(digits, 10)
}

/// The size of a chunk, section 7.1; an extension after it is nobody's business.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit());
    let (digits, rest) = line.split_at(end.unwrap_or(line.len()));
    match rest.first() {
        None | Some(b';' | b' ' | b'\t') => number(digits, 16),
        Some(_) => None,
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(radix)?;
        number.checked_mul(radix.into())?.checked_add(digit.into())
    })
}
