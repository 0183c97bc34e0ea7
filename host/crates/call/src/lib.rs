//! What travels with a call, whichever way it came in.
//!
//! - [`CallContext`]: who calls ([`Principal`]), its request ([`RequestId`]), its trace
//!   ([`TraceContext`]), its deadline, and the client that waits for it ([`Tie`]);
//! - [`deadline`]: work that ends at a time at the latest;
//! - [`turns`]: handing the thread back though one could go on.
//!
//! Knows nothing of who calls whom.

mod context;
pub mod deadline;
mod principal;
mod request_id;
mod tie;
mod trace;
pub mod turns;
mod wall;

pub use context::CallContext;
pub use principal::Principal;
pub use request_id::RequestId;
pub use tie::Tie;
pub use trace::TraceContext;
