//! `stoa:service/outbox`: calls of queues that are kept together with a write.
//!
//! While a guest holds them back, what it tells queues is put aside; the next swap of a
//! value that succeeds keeps both in one step. What nothing was swapped for is forgotten
//! with the call.

use wasmtime::component::Linker;

use self::bindings::stoa::service::outbox as contract;
use super::{CapabilitiesView, HasCapabilities, View};
use stoa_store::Append;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../wit/stoa-service",
        inline: "
            package stoa:host;
            world outbox {
                import stoa:service/outbox@0.1.0;
            }
        ",
        imports: { default: trappable },
    });
}

/// Calls of queues that one call has put aside at most: as many as one write of a bucket
/// may have keys.
const MOST: usize = 1000;

/// Calls of queues that are put aside; none where they are kept at once.
#[derive(Debug, Default)]
pub struct Outbox(Option<Vec<Append>>);

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)
}

impl contract::Host for CapabilitiesView<'_> {
    fn hold(&mut self) -> wasmtime::Result<()> {
        self.ctx.outbox.0 = Some(Vec::new());
        Ok(())
    }

    fn discard(&mut self) -> wasmtime::Result<()> {
        self.ctx.outbox = Outbox::default();
        Ok(())
    }
}

// === impl Outbox ===

impl Outbox {
    /// Whether calls of queues are put aside.
    pub fn is_held(&self) -> bool {
        self.0.is_some()
    }

    /// Puts one aside.
    ///
    /// # Errors
    /// When there are too many.
    pub fn put(&mut self, append: Append) -> Result<(), String> {
        let held = self.0.get_or_insert_default();
        if held.len() >= MOST {
            return Err(format!(
                "expected at most {MOST} calls of queues in one step, found more"
            ));
        }
        held.push(append);
        Ok(())
    }

    /// What is put aside; further calls are kept at once.
    pub(super) fn take(&mut self) -> Vec<Append> {
        self.0.take().unwrap_or_default()
    }
}
