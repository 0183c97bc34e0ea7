//! What is deployed and how that changes, and the operators' way to it.
//!
//! - [`deploy`]: verify, compile, link, warm, swap, drain;
//! - [`admin`]: the operators' API over HTTP, and its client.

pub mod admin;
pub mod deploy;
