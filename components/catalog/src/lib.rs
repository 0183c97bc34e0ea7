//! The catalog service: what a region's customers see.
//!
//! [`Catalog`] is plain Rust over a [`Source`] of products and stock, and runs in
//! native tests; only `glue` meets the host. It keeps nothing of its own.

mod bindings;
mod catalog;
#[cfg(target_family = "wasm")]
mod glue;
mod item;
mod region;
mod search;
mod source;

pub use bindings::exports::shop::catalog::catalog as contract;
pub use catalog::{Catalog, Filter};
pub use region::Region;
pub use source::Source;
