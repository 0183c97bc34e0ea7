//! Imports of a `wasi:http` handler that another service meets: middleware.
//!
//! A handler takes and gives resources, which belong to one store. Here they become
//! what they stand for: the request leaves the caller's store as one of HTTP, whose
//! body streams, and goes where the link leads; the answer comes back as a response of
//! the caller's store. So either version of `wasi:http` may stand before the other, and
//! before a service that has no handler at all.

mod p2;
mod p3;

use std::sync::Arc;

use wasmtime::component::Linker;

use super::http::{BodyError, WasiBody};
use super::state::State;
use crate::capabilities::outbound::outgoing::{Errand, Neighbours, Passage};
use stoa_call::CallContext;

/// Which handler an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handler {
    /// `wasi:http/incoming-handler@0.2`.
    P2,
    /// `wasi:http/handler@0.3`.
    P3,
}

/// The handler that a component imports, and which service that is.
pub struct HandlerLink {
    /// As the component imports it, with its version.
    pub interface: String,
    /// Which one it is.
    pub handler: Handler,
    /// The service that imports it.
    pub from: Arc<str>,
    /// The service that answers.
    pub to: Arc<str>,
    /// Takes requests there.
    pub neighbours: Arc<dyn Neighbours>,
}

/// Defines a handler for a component.
pub(super) fn define(linker: &mut Linker<State>, link: HandlerLink) -> wasmtime::Result<()> {
    let mut instance = linker.instance(&link.interface)?;
    let (handler, link) = (link.handler, Arc::new(link));
    match handler {
        Handler::P2 => p2::define(&mut instance, link),
        Handler::P3 => p3::define(&mut instance, link),
    }
}

// === impl Handler ===

impl Handler {
    /// The handler of this name, with its version.
    pub fn of(interface: &str) -> Option<Self> {
        let (name, version) = interface.split_once('@')?;
        let (handler, track) = match name {
            "wasi:http/incoming-handler" => (Self::P2, "0.2."),
            "wasi:http/handler" => (Self::P3, "0.3."),
            _ => return None,
        };
        (version.starts_with(track) && !version.contains('-')).then_some(handler)
    }
}

// === impl HandlerLink ===

impl HandlerLink {
    /// Sends a request there, in the call of `context`.
    async fn send(
        &self,
        request: http::Request<WasiBody>,
        context: CallContext,
    ) -> Result<http::Response<WasiBody>, BodyError> {
        let passage = Passage {
            from: self.from.clone(),
            to: self.to.clone(),
            errand: Errand::Link,
        };
        self.neighbours.send(passage, request, context).await
    }
}

#[cfg(test)]
mod tests {
    use super::Handler;

    #[test]
    fn released_versions_of_both_handlers_are_linked() {
        for (interface, handler) in [
            ("wasi:http/handler@0.3.0", Some(Handler::P3)),
            ("wasi:http/handler@0.3.2", Some(Handler::P3)),
            ("wasi:http/incoming-handler@0.2.12", Some(Handler::P2)),
            ("wasi:http/handler@0.3.0-rc-2026-03-15", None),
            ("wasi:http/handler@0.2.0", None),
            ("wasi:http/incoming-handler@0.3.0", None),
            ("wasi:http/handler@0.30.0", None),
            ("wasi:http/handler", None),
            ("wasi:http/types@0.3.2", None),
            ("test:http/handler@0.3.2", None),
        ] {
            assert_eq!(Handler::of(interface), handler, "{interface}");
        }
    }
}
