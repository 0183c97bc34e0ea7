//! The order service: orders, from placed to completed, or cancelled, or returned.
//!
//! [`Orders`] is plain Rust over buckets and the other services ([`World`]), and runs in native
//! tests; only `glue` meets the host. It must not know how stock, money and parcels are kept.

mod bindings;
mod cart;
mod discount;
mod draft;
mod entry;
mod fulfil;
#[cfg(target_family = "wasm")]
mod glue;
pub mod guest;
mod keys;
mod newest;
mod orders;
mod price;
mod region;
mod saga;
mod world;

pub use bindings::exports::shop::order::orders as contract;
pub use bindings::shop::payment::payments::Payment;
pub use bindings::shop::product::inventory::ReserveLine;
pub use bindings::shop::product::products::Offer;
pub use bindings::shop::shipping::carriers::{Address, Shipment, ShippingQuote};
pub use discount::Uses;
pub use entry::Entry;
pub use orders::{Filter, Kept, Orders, Part};
pub use world::{Carrier, Later, Till, Warehouse, World};
