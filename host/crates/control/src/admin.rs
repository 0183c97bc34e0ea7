//! The operators' API: deploy, look, scale, roll back.
//!
//! - [`stoa_api`]: the shapes that go over the wire;
//! - [`serve`]: the API itself, on its own address, behind a bearer token;
//! - [`client`]: what the command line calls it with.

mod accept;
mod breakers;
mod cache;
pub mod client;
mod config;
mod discovery;
mod document;
mod drain;
pub mod eureka;
mod guard;
mod handlers;
pub mod hosts;
mod keys;
mod logs;
mod problem;
mod queues;
mod schedules;
mod secrets;
mod server;
mod shape;
pub mod state;
mod tokens;
mod trace;
mod upstreams;

pub use accept::serve;
