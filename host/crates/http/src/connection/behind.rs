//! What a client sends behind the request that is answered, before hyper asks for it.
//!
//! A client that leaves says so behind all that it has sent. So while its call ends with
//! it, what it sends is read on and kept here: left in the system's buffers it would fill
//! them, and the end of the stream would never come. A client that sends more than is
//! kept is cut off. One that pipelines so much must be ready for that (RFC 9112, section
//! 9.3.2: it sends again what was not answered); none is known that does.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes that are kept at most: as many as an HTTP/2 connection may have under way.
pub(super) const MOST: usize = super::CONNECTION_WINDOW as usize;
/// Bytes that are read at once.
const READ: usize = 16 << 10;
/// Bytes that are read at once at the beginning: most heads fit.
const FIRST: usize = 2 << 10;

/// The bytes of one connection that hyper has not asked for.
#[derive(Default)]
pub(super) struct Behind {
    bytes: BytesMut,
    /// What the socket said instead of more, until that is passed on.
    fault: Option<io::Error>,
}

/// What a client did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Did {
    /// It has closed its connection, or its half.
    Leave,
    /// It has sent more than is kept.
    Flood,
}

impl Behind {
    /// Reads what comes first, and tells how many bytes that are: none at the end of the
    /// stream, and where the socket fails, which who reads next is told.
    pub(super) fn poll_first(
        &mut self,
        socket: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<usize> {
        let mut space = [MaybeUninit::uninit(); FIRST];
        let mut read = ReadBuf::uninit(&mut space);
        self.fault = std::task::ready!(Pin::new(socket).poll_read(cx, &mut read)).err();
        self.bytes.extend_from_slice(read.filled());
        Poll::Ready(read.filled().len())
    }

    /// What is kept.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads all that has come. Pending as long as the client stays, and wakes when it
    /// sends more or leaves.
    pub(super) fn poll_read_on(
        &mut self,
        socket: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<Did> {
        let mut space = [MaybeUninit::uninit(); READ];
        while self.bytes.len() <= MOST {
            let mut read = ReadBuf::uninit(&mut space);
            match std::task::ready!(Pin::new(&mut *socket).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => self.bytes.extend_from_slice(read.filled()),
                Ok(()) | Err(_) => return Poll::Ready(Did::Leave),
            }
        }
        Poll::Ready(Did::Flood)
    }

    /// Gives what is kept, and then what the socket has.
    pub(super) fn poll_read(
        &mut self,
        socket: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.bytes.is_empty() {
            return match self.fault.take() {
                None => Pin::new(socket).poll_read(cx, buffer),
                Some(fault) => Poll::Ready(Err(fault)),
            };
        }
        let here = self.bytes.len().min(buffer.remaining());
        buffer.put_slice(&self.bytes[..here]);
        self.bytes.advance(here);
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    async fn read(behind: &mut Behind, socket: &mut DuplexStream, bytes: usize) -> Vec<u8> {
        let mut space = vec![0; bytes];
        let mut buffer = ReadBuf::new(&mut space);
        poll_fn(|cx| behind.poll_read(socket, cx, &mut buffer))
            .await
            .unwrap();
        buffer.filled().to_vec()
    }

    #[tokio::test]
    async fn what_was_read_on_comes_first() {
        let (mut client, mut socket) = duplex(64);
        let mut behind = Behind::default();
        client.write_all(b"GET /we").await.unwrap();
        let mut stays = poll_fn(|cx| Poll::Ready(behind.poll_read_on(&mut socket, cx)));
        assert!((&mut stays).await.is_pending());
        client.write_all(b"ll").await.unwrap();
        assert_eq!(read(&mut behind, &mut socket, 4).await, b"GET ");
        assert_eq!(read(&mut behind, &mut socket, 64).await, b"/we");
        assert_eq!(read(&mut behind, &mut socket, 64).await, b"ll");
    }

    #[tokio::test]
    async fn who_leaves_is_noticed_behind_all_that_it_sent() {
        let (mut client, mut socket) = duplex(2 * MOST);
        let mut behind = Behind::default();
        client.write_all(&vec![b'x'; MOST]).await.unwrap();
        let did =
            tokio::spawn(async move { poll_fn(|cx| behind.poll_read_on(&mut socket, cx)).await });
        tokio::task::yield_now().await;
        drop(client);
        assert_eq!(did.await.unwrap(), Did::Leave);
    }

    #[tokio::test]
    async fn more_than_is_kept_is_not_read() {
        let (mut client, mut socket) = duplex(2 * MOST);
        let mut behind = Behind::default();
        client.write_all(&vec![b'x'; 2 * MOST]).await.unwrap();
        let did = poll_fn(|cx| behind.poll_read_on(&mut socket, cx)).await;
        assert_eq!(did, Did::Flood);
        assert!(behind.bytes.len() <= MOST + READ);
    }
}
