//! A component's standard output and error, line by line.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::{GuestLog, Level};
use crate::capabilities::context::CurrentCall;

/// Longest line, in bytes; what is longer goes on in the next message.
const MAX_LINE: usize = 8 << 10;

/// What a guest may write at once, in bytes: as much as WASI's own streams.
const PERMIT: usize = 64 << 10;

/// Which of a guest's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One stream of one instance. Clones write to the same line.
///
/// Each line is a message of level info: programs use both streams for all they
/// have to say, so neither is a warning. A line without an end waits for it until
/// [`Output::finish_line`] or the last clone goes.
#[derive(Clone)]
pub struct Output(Arc<Shared>);

struct Shared {
    stream: Stream,
    log: Arc<dyn GuestLog>,
    call: CurrentCall,
    line: Mutex<Vec<u8>>,
}

// === impl Stream ===

impl Stream {
    /// The name that messages carry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

// === impl Output ===

impl Output {
    /// The stream of an instance whose calls `call` tells.
    pub fn new(stream: Stream, log: Arc<dyn GuestLog>, call: CurrentCall) -> Self {
        Self(Arc::new(Shared {
            stream,
            log,
            call,
            line: Mutex::new(Vec::new()),
        }))
    }

    /// Logs what has no line end yet: call it when a call is over, so that the
    /// next one does not continue its line.
    pub fn finish_line(&self) {
        self.0.finish_line();
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    // The default spawns a task for each stream; there is nothing to wait for.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.write(&bytes);
        Ok(())
    }

    // A flush is no line end: programs flush after a prompt or half a line.
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

// === impl Shared ===

impl Shared {
    fn write(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.extend(&mut line, end);
                    self.log(line.strip_suffix(b"\r").unwrap_or(&line));
                    line.clear();
                }
                None => self.extend(&mut line, piece),
            }
        }
    }

    /// Adds to the line, and logs what is more than one can hold.
    fn extend(&self, line: &mut Vec<u8>, mut bytes: &[u8]) {
        while line.len() + bytes.len() > MAX_LINE {
            let (head, tail) = bytes.split_at(MAX_LINE - line.len());
            line.extend_from_slice(head);
            let whole = whole_characters(line);
            self.log(&line[..whole]);
            line.drain(..whole);
            bytes = tail;
        }
        line.extend_from_slice(bytes);
    }

    fn finish_line(&self) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if !line.is_empty() {
            self.log(&line);
            line.clear();
        }
    }

    fn log(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        self.log
            .log(Level::Info, self.stream.name(), &line, &self.call.get());
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.finish_line();
    }
}

/// The length of `line` without a character that is cut at its end.
fn whole_characters(line: &[u8]) -> usize {
    match std::str::from_utf8(line) {
        // Not an error but an end that came too early: the rest will follow.
        Err(fault) if fault.error_len().is_none() => fault.valid_up_to(),
        _ => line.len(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use stoa_call::CallContext;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl GuestLog for Lines {
        fn log(&self, level: Level, context: &str, message: &str, _: &CallContext) {
            assert_eq!((level, context), (Level::Info, "stderr"));
            self.0.lock().unwrap().push(message.to_owned());
        }
    }

    fn written(pieces: &[&[u8]]) -> Vec<String> {
        let lines = Arc::new(Lines::default());
        let call = CurrentCall::new(CallContext::new(Instant::now()));
        let mut output = Output::new(
            Stream::Stderr,
            Arc::clone(&lines) as Arc<dyn GuestLog>,
            call,
        );
        for piece in pieces {
            output.write(Bytes::copy_from_slice(piece)).unwrap();
        }
        drop(output);
        std::mem::take(&mut *lines.0.lock().unwrap())
    }

    #[test]
    fn lines_are_split_wherever_the_writes_end() {
        assert_eq!(
            written(&[b"one\ntw", b"o\r\n\nthr", b"ee"]),
            ["one", "two", "", "three"]
        );
        assert_eq!(written(&[b"\xff\n"]), ["\u{fffd}"]);
        assert!(written(&[b""]).is_empty());
    }

    #[test]
    fn a_long_line_goes_on_in_the_next_message() {
        let text = "a".to_owned() + &"\u{e9}".repeat(MAX_LINE);
        let lines = written(&[text.as_bytes(), b"\nnext\n"]);
        let (next, long) = lines.split_last().unwrap();
        assert_eq!(next, "next");
        assert_eq!(long.concat(), text, "no character is cut in two");
        assert!(long.iter().all(|line| line.len() <= MAX_LINE));
        let exact = "x".repeat(MAX_LINE);
        assert_eq!(written(&[exact.as_bytes(), b"\n"]), [exact]);
    }

    #[test]
    fn clones_write_to_one_line() {
        let lines = Arc::new(Lines::default());
        let call = CurrentCall::new(CallContext::new(Instant::now()));
        let output = Output::new(
            Stream::Stderr,
            Arc::clone(&lines) as Arc<dyn GuestLog>,
            call,
        );
        let (mut one, mut other) = (output.p2_stream(), output.p2_stream());
        one.write(Bytes::from_static(b"a")).unwrap();
        other.write(Bytes::from_static(b"b\nc")).unwrap();
        output.finish_line();
        output.finish_line();
        assert_eq!(*lines.0.lock().unwrap(), ["ab", "c"]);
    }
}
