//! The runtime: from a component's bytes to instances that serve calls.
//!
//! - [`Runtime`] owns the two engines and turns bytes into [`Code`];
//! - [`Code`] is a component that is compiled and linked, ready to instantiate;
//! - [`Instance`] is one live instantiation, which serves one call at a time;
//! - [`shared::SharedInstance`] serves several calls of an async contract;
//! - [`link`] meets imports by functions of other services, [`handler_link`] those of a
//!   `wasi:http` handler by another service.
//!
//! Only this module and `capabilities` name wasmtime. It knows nothing of
//! services, routes or pools: those decide when to call and what a fault means.

mod cache;
pub mod capabilities;
mod code;
mod config;
mod epoch;
mod fault;
pub mod handler_link;
mod host_imports;
pub mod http;
mod instance;
pub mod link;
mod link_fault;
mod memory;
mod outbound;
mod resident;
mod runtime;
pub mod service_error;
pub mod shared;
mod state;
pub mod value;
mod watch;

pub use code::{Code, ExportedFunction, FunctionIndex};
pub use fault::Fault;
pub use host_imports::{instead as host_instead, lacking as host_lacking, meets as host_meets};
pub use instance::{Instance, InstanceSettings};
pub use link_fault::LinkFault;
pub use runtime::{Compiled, EngineSettings, Origin, Runtime, RuntimeError};
pub use watch::Waits;
