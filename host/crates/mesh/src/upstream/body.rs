//! A request's body that can be had back as long as nobody has read of it.
//!
//! A client takes the body together with its request; when no connection comes
//! about, the request goes to another instance, and needs its body again.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use stoa_engine::http::{BodyError, WasiBody};

type Slot = Arc<Mutex<Option<WasiBody>>>;

/// Who lends a body, and may have it back.
pub(super) struct Lender(Slot);

/// A body that is lent to a client.
pub struct Lent {
    slot: Slot,
    body: Option<WasiBody>,
    hint: SizeHint,
    ended: bool,
}

/// Lends a body.
pub(super) fn lend(body: WasiBody) -> (Lender, Lent) {
    let (hint, ended) = (body.size_hint(), body.is_end_stream());
    let slot = Arc::new(Mutex::new(Some(body)));
    let lent = Lent {
        slot: slot.clone(),
        body: None,
        hint,
        ended,
    };
    (Lender(slot), lent)
}

impl Lender {
    /// The body, if nothing of it was read.
    pub(super) fn take_back(self) -> Option<WasiBody> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.body.is_none() {
            let body = self
                .slot
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            self.body = body;
        }
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            // Its lender has it back: nobody waits for this one any more.
            None => Poll::Ready(Some(Err(BodyError::HttpResponseIncomplete))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().map_or(self.ended, Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(self.hint, Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    fn body(text: &'static str) -> WasiBody {
        Full::new(Bytes::from(text))
            .map_err(|never| match never {})
            .boxed_unsync()
    }

    #[tokio::test]
    async fn a_body_that_nobody_read_comes_back() {
        let (lender, lent) = lend(body("hello"));
        assert_eq!(lent.size_hint().exact(), Some(5));
        drop(lent);
        let back = lender.take_back().unwrap();
        assert_eq!(back.collect().await.unwrap().to_bytes(), "hello");
    }

    #[tokio::test]
    async fn a_body_that_was_begun_does_not() {
        let (lender, mut lent) = lend(body("hello"));
        assert!(lent.frame().await.is_some());
        drop(lent);
        assert!(lender.take_back().is_none());
    }
}
