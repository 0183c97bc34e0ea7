//! The order service: orders, from placed to confirmed or cancelled.
//!
//! [`Orders`] is plain Rust over buckets, a [`Warehouse`] and a queue ([`Later`]), and runs
//! in native tests; only `glue` meets the host. It must not know how stock is kept.

mod bindings;
mod cart;
#[cfg(target_family = "wasm")]
mod glue;
mod keys;
mod later;
mod orders;
mod saga;
mod warehouse;

pub use bindings::exports::shop::order::orders as contract;
pub use later::Later;
pub use orders::{Kept, Orders};
pub use warehouse::Warehouse;
