//! Requests into a component's own `wasi:http` handler, 0.2 or 0.3. Scheme and
//! authority are those of a request's URI.
//!
//! The handler runs on the task of the connection that the request came in on.
//! A guest may answer before it ends, and write its body bit by bit. A short
//! answer is complete before the connection is ready for it: then it is handed
//! over whole, and nothing goes on in the background.

mod audience;
mod body;
mod exchange;
mod p2;
pub(super) mod p3;

use std::ops::DerefMut;

use tokio::sync::oneshot;

use super::instance::HttpHandler;
use super::{Fault, Instance};
use futures::future::BoxFuture;
use stoa_call::CallContext;
use stoa_http::aside::aside;

pub use audience::Audience;
pub use body::{GuestFate, ResponseBody, Taken};
pub use exchange::{Answer, Exchange, Rest};
pub use wasmtime_wasi_http::{Error as BodyError, WasiBody};

/// What a handler answers with: a response, or the name of an error code.
type Answered = Result<http::Response<WasiBody>, String>;

/// The response that a handler gave. An interim one is none: who sends it on would begin
/// another protocol, or end the exchange.
pub(super) fn response(answered: Answered) -> Result<http::Response<WasiBody>, Fault> {
    match answered {
        Ok(response) if response.status().is_informational() => {
            let status = response.status().as_u16();
            Err(Fault::HandlerError(format!("{status} is no final status")))
        }
        Ok(response) => Ok(response),
        Err(code) => Err(Fault::HandlerError(code)),
    }
}

/// Anything that holds an instance for one call, and gives it back when dropped.
pub trait Leased: DerefMut<Target = Instance> + Send + 'static {}

impl<T: DerefMut<Target = Instance> + Send + 'static> Leased for T {}

/// A handler at work; resolves to the lease when the guest has ended.
pub type Running<L> = BoxFuture<'static, (L, Result<(), Fault>)>;

/// Starts the component's handler on `request`. Nothing runs until the exchange is polled.
///
/// # Errors
///
/// [`Fault::Request`] when the component has no handler, or the request no host.
pub fn start<L, B>(
    mut lease: L,
    request: http::Request<B>,
    context: CallContext,
) -> Result<Exchange<L>, Fault>
where
    L: Leased,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    lease.begin(context);
    let (answer, answered) = oneshot::channel();
    let running: Running<L> = match &lease.http {
        HttpHandler::P2(_) => aside(|| p2::run(lease, request, answer)),
        HttpHandler::P3(service) => {
            let service = service.clone();
            aside(|| p3::run(lease, service, request, answer))
        }
        HttpHandler::None => {
            return Err(Fault::Request(
                "the component exports no wasi:http handler".to_owned(),
            ));
        }
    };
    Ok(Exchange::new(running, answered))
}
