//! Outgoing HTTP: what every request to the world beyond the host shares.
//!
//! - [`outgoing`]: the requests of one service, by its grants and limits;
//! - [`connect`]: connections to addresses that were checked, by [`address`];
//! - [`trust`]: whose certificates are believed; [`answer`]: which responses are none,
//!   [`body`]: the body of one.

pub mod address;
pub mod answer;
pub mod body;
pub mod connect;
pub mod outgoing;
pub mod trust;
