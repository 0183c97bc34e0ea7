//! Running a handler until it has answered, and what is left of it then.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::CONTENT_LENGTH;
use tokio::sync::oneshot;

use super::audience::Audience;
use super::body::{GuestFate, ResponseBody, Stage};
use super::{Answered, Running, WasiBody};
use crate::Fault;

/// A request in a component. Resolves when the response's head is there; by then
/// a short response is there whole.
pub struct Exchange<L> {
    running: Option<Running<L>>,
    answered: oneshot::Receiver<Answered>,
}

/// What a component answered, and what it still does.
pub struct Answer<L> {
    /// Its response.
    pub response: http::Response<ResponseBody>,
    /// The guest, if it has not ended: it must be polled for the body to come.
    pub rest: Rest<L>,
}

/// The guest after its answer.
pub enum Rest<L> {
    /// It has ended well.
    Ended(L),
    /// It goes on: writes its body, or works on. How it ends is to be told before
    /// the future is dropped.
    Running(Running<L>, GuestFate, Audience),
}

impl<L> Exchange<L> {
    pub(super) fn new(running: Running<L>, answered: oneshot::Receiver<Answered>) -> Self {
        Self {
            running: Some(running),
            answered,
        }
    }
}

impl<L> Future for Exchange<L> {
    type Output = Result<Answer<L>, Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let running = this
            .running
            .as_mut()
            .expect("an exchange is not polled after its end");
        let ended = match running.as_mut().poll(cx) {
            Poll::Ready((lease, Ok(()))) => Some(lease),
            // Even a guest that answered first: nothing has been sent yet.
            Poll::Ready((_, Err(fault))) => return Poll::Ready(Err(fault)),
            Poll::Pending => None,
        };
        let answered = match (Pin::new(&mut this.answered).poll(cx), &ended) {
            (Poll::Ready(Ok(answered)), _) => answered,
            (Poll::Ready(Err(_)), _) | (Poll::Pending, Some(_)) => {
                return Poll::Ready(Err(Fault::NoResponse));
            }
            (Poll::Pending, None) => return Poll::Pending,
        };
        let response = match super::response(answered) {
            Ok(response) => response,
            Err(fault) => return Poll::Ready(Err(fault)),
        };
        let running = this.running.take().expect("it was there above");
        Poll::Ready(finish(response, ended, running, cx))
    }
}

/// Takes the body as far as it comes without waiting.
fn finish<L>(
    response: http::Response<WasiBody>,
    mut ended: Option<L>,
    mut running: Running<L>,
    cx: &mut Context<'_>,
) -> Result<Answer<L>, Fault> {
    let mut response = response.map(ResponseBody::new);
    let mut gathered = None;
    loop {
        let stage = response.body_mut().gather(cx);
        // A guest waits for room in its body: it goes on as long as that helps.
        if stage == Stage::Streaming || ended.is_some() || gathered.replace(stage) == Some(stage) {
            break;
        }
        match running.as_mut().poll(cx) {
            Poll::Ready((lease, Ok(()))) => ended = Some(lease),
            Poll::Ready((_, Err(fault))) => return Err(fault),
            Poll::Pending => {}
        }
    }
    if let Some(lease) = ended {
        return Ok(Answer {
            response,
            rest: Rest::Ended(lease),
        });
    }
    let (fate, audience) = (GuestFate::default(), Audience::default());
    let length = response.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|text| text.to_str().ok()?.parse().ok());
    let response = response.map(|body| body.with_fate(fate.clone()).heard_by(&audience, length));
    Ok(Answer {
        response,
        rest: Rest::Running(running, fate, audience),
    })
}
