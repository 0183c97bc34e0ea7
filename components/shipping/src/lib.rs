//! The shipping service: one shipment for each order, and a sandbox for a carrier.
//!
//! [`Shipments`] is plain Rust over a bucket, a [`Tariff`], a [`Carrier`] and who is told
//! of changes ([`Changes`]), and runs in native tests; only `glue` meets the host. It must
//! not know what an order is beyond its id.

mod bindings;
mod carrier;
mod changes;
#[cfg(target_family = "wasm")]
mod glue;
mod shipments;
mod state;
mod tariff;

pub use bindings::exports::shop::shipping::carriers as contract;
pub use carrier::{Carrier, Sandbox};
pub use changes::Changes;
pub use shipments::{Shipments, Wanted};
pub use tariff::{Price, Service, Tariff, Zone};
