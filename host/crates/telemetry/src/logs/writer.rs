//! Lines to standard error, without ever waiting for it.
//!
//! A thread of its own writes; who logs only queues. When standard error is slower
//! than the host talks, the queue fills to its bound, and lines are dropped and
//! counted: an answer to a client never waits for a pipe that nobody reads.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::lock;

/// The queue's end to put lines in. Its thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Writer(Arc<Shared>);

/// Who a line is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Host,
    /// A component: may fill the queue up to a part only, so that its chatter
    /// can't crowd out what the host has to say about it.
    Guest,
}

/// Bytes that may wait: seconds of a busy log. As many may be in the hands of the
/// thread that writes.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// The part of it that guests may use.
const GUEST_BYTES: usize = QUEUE_BYTES / 4 * 3;

/// What a queued line costs beside its text, in bytes.
const LINE_OVERHEAD: usize = 32;

/// Lines are written together up to this size, one system call for many.
const CHUNK_BYTES: usize = 64 * 1024;

/// Makes the line that reports how many were dropped.
pub(super) type Notice = Box<dyn Fn(u64) -> String + Send>;

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// There is something for the thread to do.
    filled: Condvar,
    /// Everything was written.
    emptied: Condvar,
    /// Lines dropped since the start.
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Queue {
    lines: VecDeque<Arc<str>>,
    bytes: usize,
    /// Lines that the thread has taken and not yet written.
    in_hand: usize,
    gate: Gate,
}

#[derive(Debug, PartialEq, Eq)]
enum Gate {
    Open,
    /// Lines wait for another that must come first.
    Held,
    /// There will be no more lines.
    Closed,
}

// === impl Writer ===

impl Writer {
    /// Starts the thread that writes to `output`.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn new(output: Box<dyn Write + Send>, notice: Notice) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                lines: VecDeque::new(),
                bytes: 0,
                in_hand: 0,
                gate: Gate::Open,
            }),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            dropped: AtomicU64::new(0),
        });
        let of_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || of_thread.write_all(output, &notice))?;
        Ok(Self(shared))
    }

    /// Queues a line (without its end), or drops and counts it when there is no room.
    pub(super) fn push(&self, line: Arc<str>, origin: Origin) {
        let limit = match origin {
            Origin::Host => QUEUE_BYTES,
            Origin::Guest => GUEST_BYTES,
        };
        let mut queue = lock(&self.0.queue);
        let bytes = queue.bytes + line.len() + LINE_OVERHEAD;
        if bytes > limit {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.bytes = bytes;
        queue.lines.push_back(line);
        // The thread sleeps on an empty queue only, and waking is a system call.
        if queue.lines.len() == 1 {
            self.0.wake(queue);
        }
    }

    /// Keeps lines back until [`Writer::announce`] or [`Writer::flush`].
    pub(super) fn hold(&self) {
        lock(&self.0.queue).gate = Gate::Held;
    }

    /// Writes `line` before all that was kept back, and lets that go.
    pub(super) fn announce(&self, line: Arc<str>) {
        let mut queue = lock(&self.0.queue);
        queue.gate = Gate::Open;
        queue.bytes += line.len() + LINE_OVERHEAD;
        queue.lines.push_front(line);
        self.0.wake(queue);
    }

    /// Waits until all that was queued is written, at most for `timeout`. Gives the
    /// number of lines that are not.
    pub(super) fn flush(&self, timeout: Duration) -> usize {
        let mut queue = lock(&self.0.queue);
        if queue.gate == Gate::Held {
            queue.gate = Gate::Open;
        }
        self.0.filled.notify_one();
        let waited = self
            .0
            .emptied
            .wait_timeout_while(queue, timeout, |queue| queue.unwritten() > 0);
        let (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        queue.unwritten()
    }

    /// How many lines were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut queue = lock(&self.0.queue);
        queue.gate = Gate::Closed;
        self.0.wake(queue);
    }
}

// === impl Queue ===

impl Queue {
    fn unwritten(&self) -> usize {
        self.lines.len() + self.in_hand
    }
}

// === impl Shared ===

impl Shared {
    fn wake(&self, queue: MutexGuard<'_, Queue>) {
        let held = queue.gate == Gate::Held;
        drop(queue);
        if !held {
            self.filled.notify_one();
        }
    }

    /// The thread: writes until the [`Writer`] is dropped and the queue is empty.
    fn write_all(&self, mut output: Box<dyn Write + Send>, notice: &Notice) {
        let mut reported = 0;
        while let Some(lines) = self.next_lines() {
            self.write_lines(&mut output, lines);
            let dropped = self.dropped.load(Ordering::Relaxed);
            if dropped > reported {
                let line = notice(dropped - reported) + "\n";
                // The report's own loss is no record's; the next one has the count.
                if output.write_all(line.as_bytes()).is_ok() {
                    reported = dropped;
                }
            }
            // A failure is counted where lines are written; nothing else can fail here.
            let _ = output.flush();
        }
    }

    /// All that is queued, once there is something; `None` at the end.
    fn next_lines(&self) -> Option<VecDeque<Arc<str>>> {
        let mut queue = lock(&self.queue);
        queue.in_hand = 0;
        while queue.lines.is_empty() || queue.gate == Gate::Held {
            if queue.unwritten() == 0 {
                self.emptied.notify_all();
            }
            if queue.gate == Gate::Closed {
                return None;
            }
            let woken = self.filled.wait(queue);
            queue = woken.unwrap_or_else(PoisonError::into_inner);
        }
        queue.in_hand = queue.lines.len();
        queue.bytes = 0;
        Some(std::mem::take(&mut queue.lines))
    }

    fn write_lines(&self, output: &mut dyn Write, lines: VecDeque<Arc<str>>) {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        let mut in_chunk = 0;
        let mut write = |chunk: &mut Vec<u8>, lines: &mut u64| {
            if output.write_all(chunk).is_err() {
                self.dropped.fetch_add(*lines, Ordering::Relaxed);
            }
            chunk.clear();
            *lines = 0;
        };
        for line in lines {
            if chunk.len() + line.len() >= CHUNK_BYTES {
                write(&mut chunk, &mut in_chunk);
            }
            chunk.extend_from_slice(line.as_bytes());
            chunk.push(b'\n');
            in_chunk += 1;
        }
        write(&mut chunk, &mut in_chunk);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Tells when a write begins, and does it when it is let.
    struct Gated {
        begun: mpsc::Sender<()>,
        let_go: mpsc::Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.begun.send(()).ok();
            // Once the test has dropped its end, writes just pass.
            self.let_go.recv().ok();
            lock(&self.written).extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    fn notice() -> Notice {
        Box::new(|dropped| format!("dropped {dropped}"))
    }

    fn text(written: &Mutex<Vec<u8>>) -> String {
        String::from_utf8(lock(written).clone()).unwrap()
    }

    #[test]
    fn a_full_queue_drops_counts_and_reports() {
        let (begun, has_begun) = mpsc::channel();
        let (let_it, let_go) = mpsc::channel();
        let written = Arc::default();
        let output = Gated {
            begun,
            let_go,
            written: Arc::clone(&written),
        };
        let writer = Writer::new(Box::new(output), notice()).unwrap();
        writer.push("first".into(), Origin::Host);
        has_begun.recv().unwrap();

        // The thread is stuck in a write, so these pile up.
        let line: Arc<str> = "x".repeat(1024 - LINE_OVERHEAD).into();
        for _ in 0..GUEST_BYTES / 1024 + 5 {
            writer.push(Arc::clone(&line), Origin::Guest);
        }
        assert_eq!(writer.dropped(), 5);
        writer.push("from the host".into(), Origin::Host);
        assert_eq!(writer.dropped(), 5);
        for _ in 0..QUEUE_BYTES / 1024 {
            writer.push(Arc::clone(&line), Origin::Host);
        }
        let dropped = writer.dropped();
        assert!(dropped > 5);
        assert!(writer.flush(Duration::ZERO) > GUEST_BYTES / 1024);

        drop(let_it);
        assert_eq!(writer.flush(LONG), 0);
        let text = text(&written);
        assert!(text.starts_with("first\n"));
        assert!(text.contains("\nfrom the host\n"));
        assert!(text.contains(&format!("dropped {dropped}\n")), "no report");
        assert_eq!(writer.dropped(), dropped);
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let writer = Writer::new(Box::new(Broken), notice()).unwrap();
        for _ in 0..7 {
            writer.push("lost".into(), Origin::Host);
        }
        assert_eq!(writer.flush(LONG), 0);
        assert_eq!(writer.dropped(), 7);
    }

    #[test]
    fn an_announcement_comes_first() {
        let (begun, _has_begun) = mpsc::channel();
        let (_, let_go) = mpsc::channel();
        let written = Arc::default();
        let output = Gated {
            begun,
            let_go,
            written: Arc::clone(&written),
        };
        let writer = Writer::new(Box::new(output), notice()).unwrap();
        writer.hold();
        writer.push("recovered".into(), Origin::Host);
        writer.announce("Serving".into());
        writer.push("later".into(), Origin::Host);
        assert_eq!(writer.flush(LONG), 0);
        assert_eq!(text(&written), "Serving\nrecovered\nlater\n");
    }

    #[test]
    fn what_is_held_is_not_lost_when_no_announcement_comes() {
        let (begun, _has_begun) = mpsc::channel();
        let (_, let_go) = mpsc::channel();
        let written = Arc::default();
        let output = Gated {
            begun,
            let_go,
            written: Arc::clone(&written),
        };
        let writer = Writer::new(Box::new(output), notice()).unwrap();
        writer.hold();
        writer.push("could not bind".into(), Origin::Host);
        assert_eq!(writer.flush(LONG), 0);
        assert_eq!(text(&written), "could not bind\n");
    }
}
