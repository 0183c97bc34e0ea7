//! `stoa:service/secrets`: values that only who was granted them can read.
//!
//! The value is opened when it is read, so a new one is seen by the next read.

use wasmtime::component::Linker;

use self::bindings::stoa::service::secrets as contract;
use super::{CapabilitiesView, HasCapabilities, View};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../wit/stoa-service",
        inline: "
            package stoa:host;
            world secrets {
                import stoa:service/secrets@0.1.0;
            }
        ",
        imports: { default: trappable },
    });
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)
}

impl contract::Host for CapabilitiesView<'_> {
    fn get(&mut self, name: String) -> wasmtime::Result<Result<Option<String>, contract::Error>> {
        let granted = &self.ctx.granted;
        if !granted.secret_names.contains(&name) {
            let service = &*granted.service;
            granted.refused.inc();
            let reason = format!(
                "{service} was not granted the secret {name:?}: add it to `secrets` in [service.{service}.grants]"
            );
            tracing::warn!(
                service.name = service,
                trace.id = self.ctx.call.get().trace.trace_id,
                "secret refused: {reason}"
            );
            return Ok(Err(contract::Error::NotGranted(reason)));
        }
        Ok(match granted.secrets.reveal(&name) {
            Ok(secret) => Ok(secret.and_then(|secret| secret.text().map(str::to_owned))),
            Err(error) => {
                tracing::error!(
                    service.name = &*granted.service,
                    trace.id = self.ctx.call.get().trace.trace_id,
                    "{error}"
                );
                Err(contract::Error::Unavailable(format!(
                    "the secret {name:?} can't be read now"
                )))
            }
        })
    }
}
