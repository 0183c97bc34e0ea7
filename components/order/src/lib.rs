//! The order service: orders, from placed to confirmed or cancelled.
//!
//! [`Orders`] is plain Rust over buckets and a [`Warehouse`], and runs in native
//! tests; only `glue` meets the host. It must not know how stock is kept.

mod bindings;
mod cart;
#[cfg(target_family = "wasm")]
mod glue;
mod keys;
mod orders;
mod saga;
mod warehouse;

pub use bindings::exports::shop::order::orders as contract;
pub use orders::{Kept, Orders};
pub use warehouse::Warehouse;
