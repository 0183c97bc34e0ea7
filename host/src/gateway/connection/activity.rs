//! What a connection is doing, as seen from its beats.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Shared by a connection's socket, its requests and its beats. All run on one
/// task, mostly: the order of these loads and stores does not matter.
#[derive(Default)]
pub(super) struct Activity {
    /// Requests that are being answered.
    serving: AtomicUsize,
    /// Requests so far.
    requests: AtomicU64,
    /// Bytes have come since the last request began or ended.
    reading: AtomicBool,
}

/// A request that is being answered, until it is dropped.
pub(in crate::gateway) struct Serving(Arc<Activity>);

impl Activity {
    /// Notes that a request's head is complete.
    pub(super) fn serve(self: &Arc<Self>) -> Serving {
        self.serving.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.reading.store(false, Ordering::Relaxed);
        Serving(Arc::clone(self))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.serving.fetch_sub(1, Ordering::Relaxed);
        self.0.reading.store(false, Ordering::Relaxed);
    }
}

/// What a beat finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// Nothing has happened for the idle timeout.
    Idle,
    /// A request's head has been on its way for the head's timeout.
    Stalled,
}

/// Counts beats without progress.
pub(super) struct Watch {
    head_beats: u32,
    idle_beats: u32,
    requests: u64,
    stalled: u32,
    idle: u32,
}

impl Watch {
    /// A head may take `head_beats`, an idle connection lives `idle_beats`.
    pub(super) fn new(head_beats: u32, idle_beats: u32) -> Self {
        Self {
            head_beats,
            idle_beats,
            requests: 0,
            stalled: 0,
            idle: 0,
        }
    }

    pub(super) fn beat(&mut self, activity: &Activity) -> Verdict {
        let requests = activity.requests.load(Ordering::Relaxed);
        let progress = requests != self.requests || activity.serving.load(Ordering::Relaxed) > 0;
        self.requests = requests;
        if progress {
            self.stalled = 0;
            self.idle = 0;
            return Verdict::Fine;
        }
        // A client that connects and says nothing is as stuck as one in mid-head.
        if activity.reading.load(Ordering::Relaxed) || requests == 0 {
            self.stalled += 1;
            return if self.stalled > self.head_beats {
                Verdict::Stalled
            } else {
                Verdict::Fine
            };
        }
        self.stalled = 0;
        self.idle += 1;
        if self.idle >= self.idle_beats {
            Verdict::Idle
        } else {
            Verdict::Fine
        }
    }
}

/// A socket that tells when bytes come in.
pub(super) struct Watched<S> {
    socket: S,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    pub(super) fn new(socket: S, activity: Arc<Activity>) -> Self {
        Self { socket, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.reading.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beats(watch: &mut Watch, activity: &Activity, count: u32) -> Vec<Verdict> {
        (0..count).map(|_| watch.beat(activity)).collect()
    }

    #[test]
    fn a_silent_client_is_cut_off_after_the_heads_time() {
        let activity = Arc::new(Activity::default());
        let mut watch = Watch::new(2, 10);
        assert_eq!(
            beats(&mut watch, &activity, 3),
            [Verdict::Fine, Verdict::Fine, Verdict::Stalled]
        );
    }

    #[test]
    fn a_connection_that_serves_is_left_alone() {
        let activity = Arc::new(Activity::default());
        let serving = activity.serve();
        activity.reading.store(true, Ordering::Relaxed);
        let mut watch = Watch::new(2, 3);
        assert!(
            beats(&mut watch, &activity, 20)
                .iter()
                .all(|verdict| *verdict == Verdict::Fine)
        );
        drop(serving);
        assert_eq!(beats(&mut watch, &activity, 3).last(), Some(&Verdict::Idle));
    }

    #[test]
    fn a_slow_second_head_is_cut_off() {
        let activity = Arc::new(Activity::default());
        drop(activity.serve());
        let mut watch = Watch::new(2, 10);
        assert_eq!(
            watch.beat(&activity),
            Verdict::Fine,
            "a request has come since the last beat"
        );
        activity.reading.store(true, Ordering::Relaxed);
        assert_eq!(
            beats(&mut watch, &activity, 3).last(),
            Some(&Verdict::Stalled)
        );
    }
}
