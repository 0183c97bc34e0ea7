//! A socket that tells what goes through it.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::Tie;
use super::activity::Activity;
use super::behind::{Behind, Did};
use super::framing::{End, Flood, Framing};
use super::leaving::Leaves;
use super::unread::Unread;
use super::version::Version;

/// How long a client may go on sending a body that nobody reads, as long as nginx waits
/// for more of one.
const LINGER: Duration = Duration::from_secs(5);
/// Bytes that are dropped at once.
const DROPPED: usize = 4096;

/// A socket, what the connection's beats see of it, the framing of what comes in, and
/// the refusals in what goes out.
pub(super) struct Watched<S, H, T> {
    socket: S,
    /// Free again when the socket is closed.
    _held: H,
    activity: Arc<Activity<T>>,
    behind: Behind,
    framing: Framing,
    unread: Unread,
    lingers: Option<Pin<Box<Sleep>>>,
}

impl<S, H, T> Watched<S, H, T> {
    pub(super) fn new((socket, held): (S, H), activity: Arc<Activity<T>>, unread: Unread) -> Self {
        Self {
            socket,
            _held: held,
            activity,
            behind: Behind::default(),
            framing: Framing::new(),
            unread,
            lingers: None,
        }
    }
}

impl<S: AsyncRead + Unpin, H: Unpin, T: Tie> AsyncRead for Watched<S, H, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.framing.is_over() {
            return Poll::Ready(Ok(()));
        }
        if this.activity.has_left_http() {
            return this.behind.poll_read(&mut this.socket, cx, buffer);
        }
        let before = buffer.filled().len();
        std::task::ready!(this.behind.poll_read(&mut this.socket, cx, buffer))?;
        if buffer.filled().len() > before {
            let read = this.framing.read(buffer, before, this.activity.beat());
            this.activity.received(this.framing.end());
            if let Err(flood) = read {
                this.activity.flooded(flood);
                return Poll::Ready(Err(io::Error::other("the client asks for too much")));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin, H, T: Tie> Watched<S, H, T> {
    /// Which HTTP the client speaks, once its first bytes tell. They are read again.
    pub(super) fn poll_version(&mut self, cx: &mut Context<'_>) -> Poll<Version> {
        loop {
            if let Some(version) = Version::of(self.behind.bytes()) {
                return Poll::Ready(version);
            }
            match std::task::ready!(self.behind.poll_first(&mut self.socket, cx)) {
                // hyper sees what it is.
                0 => return Poll::Ready(Version::Http1),
                // Something that takes time is on its way.
                _ => self.activity.received(End::InHead),
            }
        }
    }
}

impl<S: AsyncRead + Leaves + Unpin, H, T: Tie> Watched<S, H, T> {
    /// Ready once the client of a call that ends with it is gone, or is cut off. Where
    /// the service may still read the request's body, that is left to it: there the end
    /// of the stream may hide behind it.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if !self.activity.tie().ends() {
            return Poll::Pending;
        }
        if !self.stands_behind() {
            let left = self.socket.poll_left(cx);
            return left.map(|()| io::Error::other("the client has left"));
        }
        self.behind
            .poll_read_on(&mut self.socket, cx)
            .map(|did| match did {
                Did::Leave => io::Error::other("the client has left"),
                Did::Flood => {
                    self.activity.flooded(Flood("pipelined"));
                    io::Error::other("the client sends too much behind its request")
                }
            })
    }

    /// Whether what comes is not for the request that is answered.
    fn stands_behind(&self) -> bool {
        self.activity.tie().wants_no_more() || self.framing.whole() >= self.activity.requests()
    }
}

impl<S: AsyncWrite + Unpin, H: Unpin, T: Tie> Watched<S, H, T> {
    /// Notes how a write went; `all` is what one gives that went well. A client that is
    /// gone must not end a call that goes on without it.
    fn sent<O>(&self, sent: Poll<io::Result<O>>, all: O) -> Poll<io::Result<O>> {
        self.activity.sent(sent.is_ready());
        match sent {
            Poll::Ready(Err(_)) if self.activity.tie().goes_on() => Poll::Ready(Ok(all)),
            sent => sent,
        }
    }
}

impl<S: AsyncRead + Unpin, H: Unpin, T> Watched<S, H, T> {
    /// Drops what a client still sends that was answered in the middle of its body. To
    /// close the socket before it has ended would reset it, and the answer could be lost.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self
            .lingers
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        if sleep.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut dropped = [0; DROPPED];
        loop {
            let mut buffer = ReadBuf::new(&mut dropped);
            match std::task::ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

impl<S, H: Unpin, T: Tie> AsyncWrite for Watched<S, H, T>
where
    S: AsyncRead + AsyncWrite + Leaves + Unpin,
{
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let answered = || this.activity.answered();
        if let Some(mut instead) = this
            .unread
            .instead_of(bytes, this.framing.fault(), answered)
        {
            while !instead.is_empty() {
                match Pin::new(&mut this.socket).poll_write(cx, &instead) {
                    Poll::Ready(Ok(sent)) if sent > 0 => instead.advance(sent),
                    other => {
                        this.unread.keep(instead);
                        return this.sent(other, bytes.len());
                    }
                }
            }
            return this.sent(Poll::Ready(Ok(bytes.len())), bytes.len());
        }
        let sent = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.sent(sent, bytes.len())
    }

    /// hyper calls it at each of its turns, also while it waits for an answer.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(gone) = self.poll_gone(cx) {
            return Poll::Ready(Err(gone));
        }
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        if flushed.is_ready() {
            let answered = self.activity.answered();
            self.unread.flushed(answered);
        }
        self.sent(flushed, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingers.is_none() {
            std::task::ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
            if this.activity.has_left_http() || !this.framing.is_in_body() {
                return Poll::Ready(Ok(()));
            }
        }
        this.poll_linger(cx).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = slices.iter().map(|slice| slice.len()).sum();
        let sent = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.sent(sent, all)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use bytes::Bytes;
    use futures::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;
    use crate::connection::tests::Loose;
    use crate::connection::{Refusals, limits, tests::settings};

    struct Nothing;

    impl Refusals for Nothing {
        fn mark(&self) -> &'static [u8] {
            b""
        }

        fn unread(&self, _: u16, _: Option<&str>, _: bool) -> Bytes {
            Bytes::new()
        }
    }

    /// Fails once, and then says nothing.
    #[derive(Default)]
    struct Failing(bool);

    impl AsyncRead for Failing {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            match std::mem::replace(&mut self.0, true) {
                false => Poll::Ready(Err(io::Error::other("a broken record"))),
                true => Poll::Pending,
            }
        }
    }

    fn watched<S>(socket: S) -> Watched<S, (), Loose> {
        let activity = Arc::new(Activity::new(&limits(&settings())));
        let unread = Unread::new(Arc::new(Nothing), false);
        Watched::new((socket, ()), activity, unread)
    }

    async fn version(watched: &mut Watched<impl AsyncRead + Unpin, (), Loose>) -> Version {
        poll_fn(|cx| watched.poll_version(cx)).await
    }

    #[tokio::test]
    async fn a_preface_may_come_in_parts_and_is_read_whole() {
        let (mut client, socket) = duplex(64);
        let mut watched = watched(socket);
        client.write_all(b"PRI * HT").await.unwrap();
        assert!(version(&mut watched).now_or_never().is_none());
        assert!(
            watched.activity.is_in_head(),
            "it may take no longer than a head"
        );
        client.write_all(b"TP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        assert_eq!(version(&mut watched).await, Version::Http2);
        let mut read = [0; 24];
        watched.read_exact(&mut read).await.unwrap();
        assert!(read.starts_with(b"PRI * HTTP/2.0") && read.ends_with(b"SM\r\n\r\n"));
    }

    #[tokio::test]
    async fn who_leaves_before_it_tells_ends_as_http1() {
        let (mut client, socket) = duplex(64);
        let mut watched = watched(socket);
        client.write_all(b"PRI").await.unwrap();
        drop(client);
        assert_eq!(version(&mut watched).await, Version::Http1);
    }

    #[tokio::test]
    async fn a_socket_that_fails_first_fails_for_who_reads_next() {
        let mut watched = watched(Failing::default());
        assert_eq!(version(&mut watched).await, Version::Http1);
        let read = watched.read(&mut [0]).await;
        assert_eq!(read.unwrap_err().to_string(), "a broken record");
    }
}
