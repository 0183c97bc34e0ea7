//! Every way into a service meets here.
//!
//! - [`breaker`]: what fails is cut off, and let back with care;
//! - [`call`]: the one path of a call: a lease of an instance, a deadline, what
//!   went wrong;
//! - [`registry`]: which revisions are live, and who exports which interface;
//! - [`guard`]: a call with its breaker and its retries ([`retry`]), [`guards`] all
//!   of them, [`health`] what they count;
//! - [`discovery`]: the same for who watches: states, and each change in order;
//! - [`link`]: calls from component to component;
//! - [`upstream`]: HTTP services that are no components;
//! - [`upload`]: a request's body, whose faults are its client's.
//!
//! A caller brings a revision that it resolved in a snapshot of the registry;
//! whether it is the gateway or another component makes no difference from there
//! on. Knows nothing of HTTP statuses.

pub mod breaker;
pub mod call;
pub mod discovery;
pub mod guard;
pub mod guards;
pub mod health;
pub mod intake;
pub mod link;
pub mod registry;
pub mod retry;
mod threads;
pub mod upload;
pub mod upstream;

pub use call::{CallError, check_health};
pub use guard::Guard;
pub use guards::{Forces, GATEWAY, Guards};
pub use intake::{Intake, Intakes};
pub use registry::{Live, Registry, Service, Snapshot, pick};
pub use retry::Repeat;
pub use upload::{RequestBodyState, UploadFault};
