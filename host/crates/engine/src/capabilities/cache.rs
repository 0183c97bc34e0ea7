//! `stoa:service/cache`: answers that the gateway keeps, and their service has forgotten.

use wasmtime::component::Linker;

use self::bindings::stoa::service::cache as contract;
use super::{CapabilitiesView, HasCapabilities, View};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../wit/stoa-service",
        inline: "
            package stoa:host;
            world cache {
                import stoa:service/cache@0.1.0;
            }
        ",
        imports: { default: trappable },
    });
}

/// The answers that are kept for services.
pub trait KeptAnswers: Send + Sync {
    /// Has the answers of a service that have one of these tags asked for again, those under
    /// way included. Gives the tags that none of its routes has.
    fn purge(&self, service: &str, tags: &[String]) -> Vec<String>;
}

/// No answers are kept.
impl KeptAnswers for () {
    fn purge(&self, _: &str, _: &[String]) -> Vec<String> {
        Vec::new()
    }
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)
}

impl contract::Host for CapabilitiesView<'_> {
    fn purge(&mut self, tags: Vec<String>) -> wasmtime::Result<()> {
        let granted = &self.ctx.granted;
        let unknown = granted.answers.purge(&granted.service, &tags);
        if !unknown.is_empty() {
            let service = &*granted.service;
            tracing::warn!(
                service.name = service,
                trace.id = self.ctx.call.get().trace.trace_id,
                "{service} purges the tags {unknown:?}, which none of its routes has: expected one of the `tags` of a \
                 `cache` in [service.{service}.routes]"
            );
        }
        Ok(())
    }
}
