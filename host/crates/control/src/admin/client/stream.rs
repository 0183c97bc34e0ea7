//! Answers that come bit by bit: NDJSON and server-sent events.
//!
//! Neither a line nor an event ends where a chunk of the body ends.

use std::collections::VecDeque;
use std::marker::PhantomData;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use stoa_api::{DeployEvent, WatchEvent};

use super::ClientError;

/// The longest line that is taken, in bytes: far above any event, a snapshot of the
/// registry included, and a bound on what a stray server can make us hold.
const LONGEST: usize = 16 << 20;

/// Events as they come, a line each.
#[derive(Debug)]
pub struct Lines<T> {
    body: LineBody,
    event: PhantomData<fn() -> T>,
}

/// The events of a deployment.
pub type Progress = Lines<DeployEvent>;
/// Changes of the registry.
pub type Watch = Lines<WatchEvent>;

/// The data of server-sent events, as they come.
#[derive(Debug)]
pub struct Events {
    body: LineBody,
    event: EventBuffer,
}

// === impl Lines ===

impl<T: DeserializeOwned> Lines<T> {
    pub(super) fn new(body: Incoming, address: &str) -> Self {
        Self {
            body: LineBody::new(body, address),
            event: PhantomData,
        }
    }

    /// The next event; `None` when the host has closed the stream.
    ///
    /// # Errors
    /// If the connection breaks, or a line is no event.
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        while let Some(line) = self.body.next().await? {
            if !line.trim_ascii().is_empty() {
                let event = serde_json::from_slice(&line);
                return event.map(Some).map_err(|fault| ClientError::Foreign {
                    address: self.body.address.clone(),
                    found: format!("a line that is no event ({fault})"),
                });
            }
        }
        Ok(None)
    }
}

// === impl Events ===

impl Events {
    pub(super) fn new(body: Incoming, address: &str) -> Self {
        Self {
            body: LineBody::new(body, address),
            event: EventBuffer::default(),
        }
    }

    /// The next event's data; `None` when the host has closed the stream.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn next(&mut self) -> Result<Option<String>, ClientError> {
        while let Some(line) = self.body.next().await? {
            if let Some(data) = self.event.push(&String::from_utf8_lossy(&line)) {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

// === lines ===

/// A body read line by line.
#[derive(Debug)]
struct LineBody {
    body: Incoming,
    lines: LineBuffer,
    address: String,
}

impl LineBody {
    fn new(body: Incoming, address: &str) -> Self {
        Self {
            body,
            lines: LineBuffer::default(),
            address: address.to_owned(),
        }
    }

    async fn next(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        loop {
            if let Some(line) = self.lines.next() {
                return Ok(Some(line));
            }
            match self.body.frame().await {
                None => return Ok(self.lines.rest()),
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    self.lines.push(&data).map_err(|cause| self.broken(cause))?;
                }
                Some(Err(fault)) => return Err(self.broken(fault.to_string())),
            }
        }
    }

    fn broken(&self, cause: String) -> ClientError {
        ClientError::Broken {
            address: self.address.clone(),
            cause,
        }
    }
}

/// Cuts bytes into lines.
#[derive(Debug, Default)]
struct LineBuffer {
    whole: VecDeque<Vec<u8>>,
    begun: Vec<u8>,
}

impl LineBuffer {
    fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        // `split` gives one piece more than there are line ends.
        self.begun.extend(pieces.next().unwrap_or_default());
        for piece in pieces {
            let mut line = std::mem::replace(&mut self.begun, piece.to_vec());
            line.pop_if(|last| *last == b'\r');
            self.whole.push_back(line);
        }
        if self.begun.len() > LONGEST {
            return Err(format!("a line of more than {LONGEST} bytes"));
        }
        Ok(())
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        self.whole.pop_front()
    }

    /// A last line without an end.
    fn rest(&mut self) -> Option<Vec<u8>> {
        Some(std::mem::take(&mut self.begun)).filter(|line| !line.is_empty())
    }
}

/// Gathers the `data` of an event until the empty line that ends it. Other
/// fields and comments (which keep a connection open) are passed over.
#[derive(Debug, Default)]
struct EventBuffer {
    data: Option<String>,
}

impl EventBuffer {
    fn push(&mut self, line: &str) -> Option<String> {
        if line.is_empty() {
            return self.data.take();
        }
        let data = match line.split_once(':') {
            Some(("data", data)) => data.strip_prefix(' ').unwrap_or(data),
            _ => return None,
        };
        match &mut self.data {
            Some(begun) => {
                begun.push('\n');
                begun.push_str(data);
            }
            None => self.data = Some(data.to_owned()),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of `text`, whichever size the chunks are.
    fn lines(text: &[u8], chunk: usize) -> Vec<String> {
        let mut buffer = LineBuffer::default();
        let mut lines = Vec::new();
        for chunk in text.chunks(chunk) {
            buffer.push(chunk).unwrap();
            lines.extend(std::iter::from_fn(|| buffer.next()));
        }
        lines.extend(buffer.rest());
        lines
            .into_iter()
            .map(|line| String::from_utf8(line).unwrap())
            .collect()
    }

    #[test]
    fn lines_do_not_end_where_chunks_end() {
        let text = "{\"a\":\"ä\"}\r\n\n{\"b\":2}\nlast".as_bytes();
        for chunk in 1..=text.len() {
            assert_eq!(
                lines(text, chunk),
                ["{\"a\":\"ä\"}", "", "{\"b\":2}", "last"],
                "{chunk}"
            );
        }
        assert_eq!(lines(b"a\n", 2), ["a"]);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut buffer = LineBuffer::default();
        assert!(buffer.push(&vec![b'x'; LONGEST + 1]).is_err());
    }

    #[test]
    fn events_do_not_end_where_chunks_end() {
        let text =
            ": hello\n\nevent: log\ndata: {\"a\":1}\nid: 7\n\ndata:x\ndata: y: z\n\ndata: cut";
        for chunk in 1..=text.len() {
            let mut event = EventBuffer::default();
            let lines = lines(text.as_bytes(), chunk);
            let events: Vec<_> = lines.iter().filter_map(|line| event.push(line)).collect();
            assert_eq!(events, ["{\"a\":1}", "x\ny: z"], "{chunk}");
        }
    }
}
