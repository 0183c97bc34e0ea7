//! HTTP caching, RFC 9111: what may be stored and for how long, where it stands, and what
//! it is good for. Knows nothing of who stores it.

pub mod directives;
pub mod entry;
pub mod key;
pub mod storable;

/// What requests with the same answer have in common.
pub type Key = [u8; 32];
