//! The storefront: pages for people who buy, without a script.
//!
//! [`Storefront`] answers a [`Request`] with a [`Reply`]; it is plain Rust over the other
//! services ([`World`]) and runs in native tests, and only `glue` meets the host. It must not
//! know what anything costs: prices are the catalog's, totals are the order's.

mod basket;
mod bindings;
mod checkout;
#[cfg(target_family = "wasm")]
mod glue;
mod guest;
mod message;
mod origin;
mod pages;
mod storefront;
mod world;

pub use message::{Headers, Reply, Request};
pub use storefront::Storefront;
pub use world::{Filter, World};
