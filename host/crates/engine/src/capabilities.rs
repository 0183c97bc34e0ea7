//! What the host gives to components beside plain WASI, one file a capability.
//!
//! Linking is not granting: every component may import all of this, and what it
//! may do is decided by what its service was granted when the function is called.
//! Functions are plain (not `async` in WIT), so they link in an engine with or
//! without support for concurrent calls; those that may wait suspend the guest.
//!
//! Knows the store and its traits; must not know pools, routes or HTTP.

pub mod blobs;
pub mod cache;
pub mod config;
pub mod context;
pub mod keyvalue;
pub mod logging;
pub mod outbound;
pub mod outbox;
pub mod secrets;

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;
use wasmtime::StoreContextMut;
use wasmtime::component::{HasData, Linker, ResourceTable};

use self::cache::KeptAnswers;
use self::config::{LiveConfig, Pinned, Snapshot};
use self::context::CurrentCall;
use self::logging::GuestLog;
use self::outbound::outgoing::Outgoing;
use self::outbox::Outbox;
use stoa_call::CallContext;
use stoa_store::secrets::Secrets;
use stoa_store::{Blobs, Commit, KeyValue};

/// Adds every capability of this module, under each name that guests use.
///
/// # Errors
/// When `linker` has one of the names already.
pub fn add_to_linker<T: View>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    keyvalue::add_to_linker(linker)?;
    blobs::add_to_linker(linker)?;
    config::add_to_linker(linker)?;
    logging::add_to_linker(linker)?;
    secrets::add_to_linker(linker)?;
    outbox::add_to_linker(linker)?;
    cache::add_to_linker(linker)?;
    context::add_to_linker(linker)
}

/// The data of a store whose guest uses these capabilities.
pub trait View: Send + Sized + 'static {
    /// The capabilities, and the table that their resources go to.
    fn capabilities(&mut self) -> CapabilitiesView<'_>;

    /// The call that the guest is in. A store whose instance serves several at the
    /// same time must tell them apart.
    fn current_call(mut store: StoreContextMut<'_, Self>) -> CallContext {
        store.data_mut().capabilities().ctx.call.get()
    }
}

/// What a host function works on.
pub struct CapabilitiesView<'a> {
    /// The instance's capabilities.
    pub ctx: &'a mut Capabilities,
    /// The instance's resources. Its capacity bounds how many a guest can open.
    pub table: &'a mut ResourceTable,
}

/// The capabilities of one instance.
pub struct Capabilities {
    /// What its service was granted.
    pub granted: Arc<Granted>,
    /// The call that it serves; the engine sets it before each.
    pub call: CurrentCall,
    /// What this call tells queues, while it is to be kept with a write.
    pub outbox: Outbox,
    /// The configuration that this call reads.
    pinned: Pinned,
    /// Bytes that the host keeps for the guest's compare-and-swap handles.
    held: usize,
    /// Objects that the guest may still read and write at the same time.
    open_blobs: Arc<Semaphore>,
}

/// What a service was granted, the same for all instances of a revision.
pub struct Granted {
    /// The service's name: the owner of its buckets.
    pub service: Arc<str>,
    /// The buckets of all services.
    pub keyvalue: Arc<dyn KeyValue>,
    /// Writes and calls of queues in one step.
    pub commits: Arc<dyn Commit>,
    /// Others' buckets that this one may use: `product` for all of that
    /// service, `product/stock` for one.
    pub buckets: Vec<String>,
    /// What one call to the buckets may use.
    pub limits: keyvalue::Limits,
    /// The blobs of all services.
    pub blobs: Arc<dyn Blobs>,
    /// Others' containers that this one may read: `product` for all of that service,
    /// `product/pictures` for one.
    pub containers: Vec<String>,
    /// What it may keep in blobs, and what one call to them may use.
    pub blob_limits: blobs::Limits,
    /// The service's configuration.
    pub config: LiveConfig,
    /// The answers that the gateway keeps.
    pub answers: Arc<dyn KeptAnswers>,
    /// The secrets of the host.
    pub secrets: Arc<Secrets>,
    /// Those that this service may read.
    pub secret_names: Vec<String>,
    /// What it sends out over HTTP.
    pub outgoing: Arc<Outgoing>,
    /// Counts what it asked for and was not granted.
    pub refused: Counter,
    /// Where its messages and its output go.
    pub log: Arc<dyn GuestLog>,
    /// The region that this host serves.
    pub region: Option<Arc<str>>,
}

impl Capabilities {
    /// The capabilities of a new instance.
    pub fn new(granted: Arc<Granted>, call: CurrentCall) -> Self {
        let open_blobs = Arc::new(Semaphore::new(granted.blob_limits.open));
        Self {
            open_blobs,
            granted,
            call,
            outbox: Outbox::default(),
            pinned: Pinned::default(),
            held: 0,
        }
    }

    /// The instance serves `call`, and no other at the same time.
    pub fn begin(&mut self, call: CallContext) {
        self.call.set(call);
        self.outbox.clear();
        self.pinned = Pinned::Open;
    }

    /// The configuration, as the call sees it.
    fn config(&mut self) -> Snapshot {
        self.pinned.read(&self.granted.config)
    }
}

/// Names [`CapabilitiesView`] to the linker.
struct HasCapabilities;

impl HasData for HasCapabilities {
    type Data<'a> = CapabilitiesView<'a>;
}

#[cfg(test)]
mod tests;
