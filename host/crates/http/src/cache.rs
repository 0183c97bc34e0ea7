//! HTTP caching, RFC 9111: what may be stored and for how long, where it stands, and what
//! it is good for; the memory, what writes take from it, and one call for many that miss.
//! Knows nothing of who answers.

pub mod directives;
pub mod entry;
pub mod key;
pub mod single_flight;
pub mod status;
pub mod storable;
pub mod store;
pub mod writes;

/// What requests with the same answer have in common.
pub type Key = [u8; 32];
