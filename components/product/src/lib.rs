//! The product service: what the shop sells, and how much of it there is.
//!
//! [`Products`] keeps products and who owns which SKU; [`Inventory`] keeps stock
//! and its reservation by orders. Both are plain Rust over buckets and run in
//! native tests; only `glue` meets the host. It must not know what an order is
//! beyond its id.

mod bindings;
#[cfg(target_family = "wasm")]
mod glue;
mod input;
mod inventory;
mod products;
mod reservation;
mod shelf;
mod shelves;
mod skus;
mod tell;

pub use bindings::exports::shop::product::{
    inventory as inventory_contract, products as products_contract,
};
pub use inventory::{Adjustment, Inventory, Wish};
pub use products::Products;
pub use tell::{Nobody, Tell};
