//! The payment service: one payment for each order, and a sandbox for a provider.
//!
//! [`Payments`] is plain Rust over a bucket, a [`Provider`] and who is told of changes
//! ([`Changes`]), and runs in native tests; only `glue` meets the host. It must not know
//! what an order is beyond its id and its amount.

mod bindings;
mod changes;
mod event;
#[cfg(target_family = "wasm")]
mod glue;
mod payments;
mod provider;
mod record;
mod sandbox;
mod signature;
mod state;
mod webhooks;

pub use bindings::exports::shop::payment::payments as contract;
pub use changes::Changes;
pub use event::Happening;
pub use payments::Payments;
pub use provider::{Answer, Provider};
pub use record::Record;
pub use sandbox::{Account, Sandbox};
pub use webhooks::Webhook;
