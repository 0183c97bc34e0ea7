//! HTTP/2 frame by frame, for what no HTTP client would send. RFC 9113.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::PATIENCE;

/// Kinds of frames.
pub mod kind {
    #![expect(missing_docs, reason = "the names are the RFC's")]
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames; ACK of SETTINGS and PING is [`END_STREAM`]'s bit.
pub const END_STREAM: u8 = 1;
/// The head is complete.
pub const END_HEADERS: u8 = 4;
/// The answer to SETTINGS or PING.
pub const ACK: u8 = 1;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// One of [`kind`].
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream; 0 for the connection.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// How a host answers to what it does not like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The stream was reset, with this code.
    Reset(u32),
    /// The connection was ended, with this code.
    GoAway(u32),
    /// The connection was closed without a word.
    Closed,
    /// The stream was answered with this status.
    Status(String),
}

/// A connection on which frames are written as they are.
pub struct Frames(TcpStream);

impl Frames {
    /// Opens a connection, with a preface and these settings.
    ///
    /// # Errors
    /// When the host can't be reached.
    pub async fn open(address: SocketAddr, settings: &[(u16, u32)]) -> Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(PREFACE).await?;
        let mut frames = Self(stream);
        let payload = settings
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect::<Vec<_>>();
        frames
            .send(&[frame(kind::SETTINGS, 0, 0, &payload)])
            .await?;
        Ok(frames)
    }

    /// Writes frames at once. A host that has closed the connection takes them all.
    ///
    /// # Errors
    /// Only where the host does not read in time.
    pub async fn send(&mut self, frames: &[Vec<u8>]) -> Result<bool> {
        let written = timeout(PATIENCE, self.0.write_all(&frames.concat())).await;
        Ok(written.context("the host does not read")?.is_ok())
    }

    /// The next frame; `None` when the host has closed the connection.
    ///
    /// # Errors
    /// When none comes in time.
    pub async fn next(&mut self) -> Result<Option<Frame>> {
        timeout(PATIENCE, self.read())
            .await
            .context("the host says nothing")
    }

    /// What becomes of a stream, or of the connection.
    ///
    /// # Errors
    /// When nothing does.
    pub async fn end(&mut self, stream: u32) -> Result<End> {
        while let Some(frame) = self.next().await? {
            let code = |at: usize| {
                let bytes = frame
                    .payload
                    .get(at..at + 4)
                    .and_then(|bytes| bytes.try_into().ok());
                u32::from_be_bytes(bytes.unwrap_or_default())
            };
            match frame.kind {
                kind::GOAWAY if code(4) != 0 => return Ok(End::GoAway(code(4))),
                kind::RST_STREAM if frame.stream == stream => return Ok(End::Reset(code(0))),
                kind::HEADERS if frame.stream == stream => {
                    return Ok(End::Status(status(&frame.payload)?));
                }
                _ => {}
            }
        }
        Ok(End::Closed)
    }

    /// Whether the host ends the connection, by word or deed, whatever else it says.
    ///
    /// # Errors
    /// When it goes on in silence.
    pub async fn ends(&mut self) -> Result<End> {
        self.end(u32::MAX).await
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let [high, middle, low, kind, flags, a, b, c, d] = head;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes([a, b, c, d]),
            payload,
        })
    }
}

/// A frame's bytes.
///
/// # Panics
/// When the payload is longer than a frame can say.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("a payload is short")
        .to_be_bytes();
    assert_eq!(length[0], 0, "a frame's length has 24 bits");
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A frame with a number in it: the code of RST_STREAM, the increment of WINDOW_UPDATE.
pub fn number(kind: u8, stream: u32, number: u32) -> Vec<u8> {
    frame(kind, 0, stream, &number.to_be_bytes())
}

/// A whole head in one frame.
pub fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(kind::HEADERS, END_HEADERS | flags, stream, &block(fields))
}

/// The head of a `GET`.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    headers(stream, END_STREAM, &request("GET", path))
}

/// The pseudo-headers of a request.
pub fn request<'p>(method: &'p str, path: &'p str) -> [(&'p str, &'p str); 4] {
    [
        (":method", method),
        (":scheme", "http"),
        (":path", path),
        (":authority", "a"),
    ]
}

/// Fields as HPACK writes them without any table: literal, never indexed, no Huffman
/// code. RFC 7541, section 6.2.3.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0x10);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// An integer with a prefix of seven bits, RFC 7541 section 5.1.
fn length(block: &mut Vec<u8>, length: usize) {
    let low = |bits: usize| u8::try_from(bits & 0x7f).unwrap_or_default();
    if length < 127 {
        return block.push(low(length));
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(low(rest) | 0x80);
        rest >>= 7;
    }
    block.push(low(rest));
}

/// The status of a response's head: the first field, from HPACK's static table, or a
/// literal with its name from there. RFC 7541, appendix A.
fn status(block: &[u8]) -> Result<String> {
    const STATIC: [&str; 7] = ["200", "204", "206", "304", "400", "404", "500"];
    Ok(match block {
        [indexed @ 0x88..=0x8e, ..] => STATIC[usize::from(indexed - 0x88)].to_owned(),
        // Huffman codes of digits: the length tells enough.
        [0x48 | 0x08 | 0x18, rest @ ..] if rest.len() > 1 => "another".to_owned(),
        other => bail!("no status begins {other:?}"),
    })
}
