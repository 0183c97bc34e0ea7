//! Every way into a service meets here.
//!
//! - [`call`]: the one path of a call: a lease of an instance, a deadline, what
//!   went wrong;
//! - [`registry`]: which revisions are live, and who exports which interface;
//! - [`discovery`]: the same for who watches: states, and each change in order;
//! - [`link`]: calls from component to component;
//! - [`upstream`]: HTTP services that are no components.
//!
//! A caller brings a revision that it resolved in a snapshot of the registry;
//! whether it is the gateway or another component makes no difference from there
//! on. Knows nothing of HTTP statuses.

pub mod call;
mod deadline;
pub mod discovery;
pub mod link;
pub mod registry;
pub mod upstream;

pub use call::{CallError, call, check_health, http};
pub use deadline::within;
pub use registry::{Live, Registry, Service, Snapshot, pick};
