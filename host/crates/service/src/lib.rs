//! Services: their revisions and the pools of instances that serve them.
//!
//! - [`contract`]: what a component imports and exports, read from its bytes;
//! - [`reuse`]: how many calls an instance serves;
//! - [`revision`]: one immutable version of a service, ready to serve;
//! - [`pool`]: the instances of one revision, grown and shrunk on their own;
//! - [`threads`]: the threads that calls run on, by the class of their service.
//!
//! Knows nothing of HTTP, routing or other services.

pub mod config_schema;
pub mod contract;
pub mod pool;
pub mod reuse;
pub mod revision;
pub mod threads;
