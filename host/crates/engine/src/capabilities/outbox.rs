//! `stoa:service/outbox`: calls of queues that are kept together with a write.
//!
//! While a guest holds them back, what it tells queues is put aside; the next swap of a
//! value that succeeds keeps both in one step. What nothing was swapped for is forgotten
//! with the call.

use wasmtime::component::Linker;

use self::bindings::stoa::service::outbox as contract;
use super::{CapabilitiesView, HasCapabilities, View};
use stoa_store::Append;
use stoa_store::log::{MAX_BODY, MAX_KEY};

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

/// Bytes of them: they are the host's memory, not the guest's.
const MOST_BYTES: usize = 4 << 20;

/// Calls of queues that are put aside; none where they are kept at once.
#[derive(Debug, Default)]
pub struct Outbox {
    held: Option<Vec<Append>>,
    bytes: usize,
    /// Its instance serves several calls at a time, which it can't tell apart.
    is_shared: bool,
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)
}

impl contract::Host for CapabilitiesView<'_> {
    fn hold(&mut self) -> wasmtime::Result<()> {
        if self.ctx.outbox.is_shared {
            return Err(wasmtime::Error::msg(
                "an instance that serves several calls at a time can't hold back what one of them tells queues: \
                 expected `concurrency = 1` in the service's [pool]",
            ));
        }
        self.ctx.outbox.clear();
        self.ctx.outbox.held = Some(Vec::new());
        Ok(())
    }

    fn discard(&mut self) -> wasmtime::Result<()> {
        self.ctx.outbox.clear();
        Ok(())
    }
}

// === impl Outbox ===

impl Outbox {
    /// Whether calls of queues are put aside.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Puts one aside.
    ///
    /// # Errors
    /// When it is too large, or there are too many.
    pub fn put(&mut self, append: Append) -> Result<(), String> {
        let key = append.message.key.as_ref().map_or(0, String::len);
        let size = append.message.body.len() + key;
        if append.message.body.len() > MAX_BODY || key > MAX_KEY {
            return Err(format!(
                "expected a call of at most {MAX_BODY} bytes with a key of {MAX_KEY}, found a larger one"
            ));
        }
        let held = self.held.get_or_insert_default();
        if held.len() >= MOST || self.bytes + size > MOST_BYTES {
            return Err(format!(
                "expected at most {MOST} calls of queues and {MOST_BYTES} bytes in one step, found more"
            ));
        }
        self.bytes += size;
        held.push(append);
        Ok(())
    }

    /// What is put aside; further calls are kept at once.
    pub(super) fn take(&mut self) -> Vec<Append> {
        self.bytes = 0;
        self.held.take().unwrap_or_default()
    }

    /// Forgets what is put aside.
    pub(crate) fn clear(&mut self) {
        self.take();
    }

    /// Its instance serves several calls at a time.
    pub(crate) fn refuse(&mut self) {
        self.is_shared = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_store::log::{Bounds, NewMessage};

    fn append(size: usize) -> Append {
        Append {
            queue: "q".to_owned(),
            message: NewMessage {
                body: vec![0; size],
                ..NewMessage::default()
            },
            bounds: Bounds {
                messages: 1,
                bytes: 1,
            },
        }
    }

    #[test]
    fn what_is_put_aside_is_bounded_and_goes_with_its_call() {
        let mut outbox = Outbox::default();
        assert!(outbox.put(append(MAX_BODY + 1)).is_err());
        let fits = (0..).take_while(|_| outbox.put(append(MAX_BODY)).is_ok());
        assert_eq!(fits.count(), MOST_BYTES / MAX_BODY);
        assert!(outbox.is_held());
        outbox.clear();
        assert!(!outbox.is_held());
        let fits = (0..).take_while(|_| outbox.put(append(1)).is_ok());
        assert_eq!(fits.count(), MOST);
        assert_eq!(outbox.take().len(), MOST);
    }
}
