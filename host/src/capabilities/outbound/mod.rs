//! Outgoing HTTP: what every request to the world beyond the host shares.
//!
//! - [`trust`]: whose certificates are believed; [`body`]: a response's body.

pub mod body;
pub mod trust;
