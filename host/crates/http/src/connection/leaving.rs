//! Noticing that a client has left while nothing is read from it.
//!
//! So it is while a service may still read the request's body: what comes is left to
//! it, and the end of the stream may be behind that. The system tells of that end apart
//! from what comes before it, unless there is so much that it does not fit.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

use tokio::io::{Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A socket that tells when its client has closed it.
pub trait Leaves {
    /// Ready once the client has closed it, or its half: who does that counts as gone.
    ///
    /// Where something waits to be read this is not woken, and to be asked again.
    fn poll_left(&self, cx: &mut Context<'_>) -> Poll<()>;
}

impl Leaves for TcpStream {
    fn poll_left(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_read_ready(cx).is_pending() {
            return Poll::Pending;
        }
        match pin!(self.ready(Interest::READABLE)).poll(cx) {
            Poll::Ready(Ok(ready)) if ready.is_read_closed() => return Poll::Ready(()),
            Poll::Ready(Err(_)) => return Poll::Ready(()),
            _ => {}
        }
        // What tokio believes to be there may have been read already.
        match self.poll_peek(cx, &mut ReadBuf::new(&mut [0])) {
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Leaves for TlsStream<TcpStream> {
    fn poll_left(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.get_ref().0.poll_left(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        (client.unwrap(), accepted.unwrap().0)
    }

    #[tokio::test]
    async fn a_client_that_closes_has_left() {
        let (client, host) = pair().await;
        let mut left = Box::pin(poll_fn(|cx| host.poll_left(cx)));
        assert!(futures::poll!(&mut left).is_pending());
        drop(client);
        left.await;
    }

    #[tokio::test]
    async fn what_it_sent_before_does_not_hide_that() {
        let (mut client, host) = pair().await;
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        host.readable().await.unwrap();
        let asked = poll_fn(|cx| Poll::Ready(host.poll_left(cx))).await;
        assert!(asked.is_pending(), "it may wait for more");
        drop(client);
        // As at each beat.
        while poll_fn(|cx| Poll::Ready(host.poll_left(cx)))
            .await
            .is_pending()
        {
            tokio::task::yield_now().await;
        }
    }
}
