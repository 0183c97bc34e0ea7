//! The catalog service: what a region's customers see.
//!
//! A copy of products and stock that follows the product service by queues, so that it answers
//! while that one does not. Changes come in by [`Intake`] and [`Rebuild`], are kept in
//! [`Copies`], and are told to all instances by [`Changes`]; each has an index in memory
//! ([`Warm`]) that [`Catalog`] answers from. All of it is plain Rust and runs in native tests;
//! only `glue` meets the host.

mod bindings;
mod catalog;
mod changes;
mod copies;
#[cfg(target_family = "wasm")]
mod glue;
mod index;
mod intake;
mod item;
mod language;
mod rebuild;
mod region;
mod source;
#[cfg(test)]
mod testing;
mod warm;
mod words;

pub use bindings::exports::shop::catalog::{catalog as contract, rebuild as rebuild_contract};
pub use catalog::{Catalog, Filter, Part};
pub use changes::Changes;
pub use copies::{Copied, Copies};
pub use intake::Intake;
pub use rebuild::{Rebuild, Rebuilt};
pub use region::Region;
pub use source::{Edge, Later, Source};
pub use warm::{Kept, Warm};
