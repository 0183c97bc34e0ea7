//! The last records in memory, and readers that follow.
//!
//! A reader gets what is there and everything after it, none twice and none lost
//! in between: both are taken under the lock that a new record needs. A reader
//! that is too slow loses records, never holds up who writes them, and is told how
//! many it lost.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures::Stream;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::level::Level;
use crate::lock;

/// Which records a reader wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only those of this service (`stoa` is the host); `None` is all.
    pub service: Option<String>,
    /// Only this important or more.
    pub min_level: Level,
}

/// Records from the moment of subscription on; a [`Stream`]. Ends with the host.
#[derive(Debug)]
pub struct Tail {
    receiver: mpsc::Receiver<Sent>,
    missed: Arc<AtomicU64>,
    /// Comes after a report of what was missed before it.
    next: Option<Arc<str>>,
}

/// What a [`Tail`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tailed {
    /// A record: one JSON object, without a line's end.
    Record(Arc<str>),
    /// So many records that the reader asked for were lost here, as it was too slow.
    Missed(u64),
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub records: usize,
    /// Of the records' lines, and [`OVERHEAD`] for each.
    pub bytes: usize,
    /// Records that may wait for one reader.
    pub backlog: usize,
}

/// Ten thousand records are minutes of a busy host; 8 MiB bound it when they are
/// long. A backlog of 512 is a second of a lively stream.
pub(super) const LIMITS: Limits = Limits {
    records: 10_000,
    bytes: 8 * 1024 * 1024,
    backlog: 512,
};

/// About what a record takes beside its line, in bytes.
pub(super) const OVERHEAD: usize = 64;

/// The last records, and who follows.
#[derive(Debug)]
pub(super) struct Ring {
    limits: Limits,
    state: Mutex<State>,
}

/// A rendered record and what filters look at.
#[derive(Debug)]
pub(super) struct Entry {
    pub service: Box<str>,
    pub level: Level,
    pub line: Arc<str>,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    bytes: usize,
    readers: Vec<Reader>,
}

#[derive(Debug)]
struct Reader {
    filter: LogFilter,
    sender: mpsc::Sender<Sent>,
    /// Records lost since the last that could be sent.
    missed: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Sent {
    missed_before: u64,
    line: Arc<str>,
}

// === impl Ring ===

impl Ring {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
        }
    }

    /// Keeps a record, lets go of the oldest, and hands it to who follows.
    pub(super) fn push(&self, entry: Entry) {
        let mut state = lock(&self.state);
        state.readers.retain(|reader| reader.offer(&entry));
        state.bytes += entry.size();
        state.entries.push_back(entry);
        while state.entries.len() > self.limits.records || state.bytes > self.limits.bytes {
            let Some(oldest) = state.entries.pop_front() else {
                break;
            };
            state.bytes -= oldest.size();
        }
    }

    /// The records that are there, oldest first, and those to come.
    pub(super) fn subscribe(&self, filter: LogFilter) -> (Vec<Arc<str>>, Tail) {
        let (sender, receiver) = mpsc::channel(self.limits.backlog);
        let missed = Arc::new(AtomicU64::new(0));
        let tail = Tail {
            receiver,
            missed: Arc::clone(&missed),
            next: None,
        };
        let mut state = lock(&self.state);
        let wanted = state.entries.iter().filter(|entry| filter.wants(entry));
        let recent = wanted.map(|entry| Arc::clone(&entry.line)).collect();
        state.readers.push(Reader {
            filter,
            sender,
            missed,
        });
        (recent, tail)
    }
}

// === impl Entry ===

impl Entry {
    fn size(&self) -> usize {
        self.line.len() + OVERHEAD
    }
}

// === impl LogFilter ===

impl LogFilter {
    fn wants(&self, entry: &Entry) -> bool {
        let service = self.service.as_deref();
        entry.level >= self.min_level && service.is_none_or(|service| service == &*entry.service)
    }
}

// === impl Reader ===

impl Reader {
    /// Sends the record if it is wanted; false when the reader has gone.
    fn offer(&self, entry: &Entry) -> bool {
        if !self.filter.wants(entry) {
            return !self.sender.is_closed();
        }
        match self.sender.try_reserve() {
            Ok(place) => {
                place.send(Sent {
                    missed_before: self.missed.swap(0, Ordering::Relaxed),
                    line: Arc::clone(&entry.line),
                });
                true
            }
            Err(TrySendError::Full(())) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Closed(())) => false,
        }
    }
}

// === impl Tail ===

impl Tail {
    /// The next record or report; `None` when the host has ended. Dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Option<Tailed> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for Tail {
    type Item = Tailed;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Tailed>> {
        if let Some(line) = self.next.take() {
            return Poll::Ready(Some(Tailed::Record(line)));
        }
        match self.receiver.poll_recv(context) {
            Poll::Ready(Some(Sent {
                missed_before: 0,
                line,
            })) => Poll::Ready(Some(Tailed::Record(line))),
            Poll::Ready(Some(sent)) => {
                self.next = Some(sent.line);
                Poll::Ready(Some(Tailed::Missed(sent.missed_before)))
            }
            Poll::Ready(None) => Poll::Ready(None),
            // All that waited was read; no later record may come to bring the report.
            Poll::Pending => match self.missed.swap(0, Ordering::Relaxed) {
                0 => Poll::Pending,
                missed => Poll::Ready(Some(Tailed::Missed(missed))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use futures::FutureExt;

    use super::*;

    fn entry(service: &str, level: Level, line: &str) -> Entry {
        Entry {
            service: service.into(),
            level,
            line: line.into(),
        }
    }

    fn texts(lines: &[Arc<str>]) -> Vec<&str> {
        lines.iter().map(|line| &**line).collect()
    }

    fn ready(tail: &mut Tail) -> Option<Tailed> {
        tail.next().now_or_never().flatten()
    }

    #[test]
    fn the_oldest_go_by_count_and_by_bytes() {
        let limits = Limits {
            records: 3,
            bytes: 3 * OVERHEAD + 10,
            backlog: 8,
        };
        let ring = Ring::new(limits);
        let recent = |ring: &Ring| ring.subscribe(LogFilter::default()).0;
        for line in ["a", "b", "c", "d"] {
            ring.push(entry("stoa", Level::Info, line));
        }
        assert_eq!(texts(&recent(&ring)), ["b", "c", "d"]);
        ring.push(entry("stoa", Level::Info, "eight ch"));
        assert_eq!(texts(&recent(&ring)), ["c", "d", "eight ch"]);
        let long = "x".repeat(OVERHEAD + 10);
        ring.push(entry("stoa", Level::Info, &long));
        assert_eq!(texts(&recent(&ring)), [&long]);
    }

    #[test]
    fn filters_choose_by_service_and_level() {
        let ring = Ring::new(LIMITS);
        ring.push(entry("product", Level::Debug, "1"));
        ring.push(entry("order", Level::Error, "2"));
        ring.push(entry("product", Level::Warn, "3"));
        let filter = LogFilter {
            service: Some("product".to_owned()),
            min_level: Level::Info,
        };
        let (recent, mut tail) = ring.subscribe(filter);
        assert_eq!(texts(&recent), ["3"]);
        ring.push(entry("order", Level::Error, "4"));
        ring.push(entry("product", Level::Critical, "5"));
        assert_eq!(ready(&mut tail), Some(Tailed::Record("5".into())));
        assert_eq!(ready(&mut tail), None);
    }

    #[test]
    fn a_slow_reader_learns_what_it_missed_and_where() {
        let ring = Ring::new(Limits {
            backlog: 2,
            ..LIMITS
        });
        let (_, mut tail) = ring.subscribe(LogFilter::default());
        let push = |lines: &[&str]| {
            for line in lines {
                ring.push(entry("stoa", Level::Info, line));
            }
        };
        push(&["1", "2", "lost", "lost"]);
        let record = |line: &str| Some(Tailed::Record(line.into()));
        assert_eq!(ready(&mut tail), record("1"));
        push(&["3"]);
        assert_eq!(ready(&mut tail), record("2"));
        assert_eq!(ready(&mut tail), Some(Tailed::Missed(2)));
        assert_eq!(ready(&mut tail), record("3"));
        // Also when no record follows.
        push(&["4", "5", "lost"]);
        assert_eq!(ready(&mut tail), record("4"));
        assert_eq!(ready(&mut tail), record("5"));
        assert_eq!(ready(&mut tail), Some(Tailed::Missed(1)));
        assert_eq!(ready(&mut tail), None);
    }

    #[test]
    fn a_reader_that_left_is_forgotten() {
        let ring = Ring::new(LIMITS);
        let (_, tail) = ring.subscribe(LogFilter::default());
        drop(tail);
        ring.push(entry("stoa", Level::Info, "1"));
        assert_eq!(lock(&ring.state).readers.len(), 0);
    }

    #[test]
    fn no_record_is_lost_or_doubled_between_the_two_halves() {
        const THREADS: usize = 4;
        const EACH: usize = 2_000;
        let limits = Limits {
            backlog: THREADS * EACH,
            ..LIMITS
        };
        let ring = Ring::new(limits);
        let seen: Vec<Vec<String>> = thread::scope(|scope| {
            for writer in 0..THREADS {
                let ring = &ring;
                scope.spawn(move || {
                    for i in 0..EACH {
                        ring.push(entry("stoa", Level::Info, &format!("{writer}:{i:05}")));
                    }
                });
            }
            let read = || {
                let (recent, mut tail) = ring.subscribe(LogFilter::default());
                let mut all: Vec<String> = texts(&recent).into_iter().map(str::to_owned).collect();
                while all.len() < THREADS * EACH {
                    match futures::executor::block_on(tail.next()) {
                        Some(Tailed::Record(line)) => all.push(line.to_string()),
                        other => panic!("after {} records: {other:?}", all.len()),
                    }
                }
                all
            };
            let readers: Vec<_> = (0..4).map(|_| scope.spawn(read)).collect();
            readers
                .into_iter()
                .map(|reader| reader.join().unwrap())
                .collect()
        });
        for mut all in seen {
            all.sort();
            all.dedup();
            assert_eq!(all.len(), THREADS * EACH);
        }
    }
}
