//! What a Stoa service in Rust is written with.
//!
//! A service is domain logic behind WIT functions; this crate is everything
//! between that logic and the host, so that the logic stays short and runs in
//! native unit tests:
//!
//! - [`Bucket`]: typed values in a key-value bucket, changed by compare-and-swap
//! - [`Index`]: which keys belong to a value, for lists of a part
//! - [`Error`] and its constructors ([`not_found!`], [`conflict!`], [`Violations`])
//! - [`Money`], [`currency`], [`Timestamp`], [`id`]: amounts, times and ids as contracts write them
//! - [`page`]: pagination by an opaque cursor
//! - [`context`], [`config`], [`secret`], [`log`]: who calls, settings, secrets, `tracing`
//!   to the host's log
//!
//! It must not know any service's contract.

pub mod bindings;
mod bucket;
pub mod config;
pub mod context;
pub mod currency;
mod error;
pub mod id;
mod index;
#[cfg(target_family = "wasm")]
pub mod log;
mod money;
pub mod page;
pub mod secret;
pub mod store;
mod text;
mod time;

pub use bindings::stoa::money::types::Money;
pub use bindings::stoa::service::types::{Error, Violation};
pub use bucket::{Bucket, Change};
pub use error::Violations;
pub use index::Index;
pub use money::MoneyError;
pub use time::Timestamp;
