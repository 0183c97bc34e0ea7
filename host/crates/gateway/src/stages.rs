//! The stages of a request's way, a file each. [`super::plan`] has their order.
//!
//! A stage has `compile`, from a route's settings; `request`, which gives an answer
//! where the request goes no further; and `response`, which sees what comes back.

mod authenticate;
mod cache;
mod compress;
mod condition;
mod cors;
mod idempotency_key;
mod intake;
mod invalidate;
mod rate_limit;
mod trailers;
mod websocket;

pub(super) use authenticate::Authenticate;
pub(super) use cache::Cache;
pub(super) use compress::Compress;
pub(super) use condition::Condition;
pub(super) use cors::Cors;
pub(super) use idempotency_key::IdempotencyKey;
pub(super) use intake::Intake;
pub(super) use invalidate::Invalidate;
pub(super) use rate_limit::RateLimit;
pub(super) use trailers::Trailers;
pub(super) use websocket::WebSocket;
