//! Stoa: one host process over many small services, each a WebAssembly component.
//!
//! # The map
//!
//! ```text
//!  main ─► cli ─► host ─┬─► admin ──► deploy ─┐
//!                       └─► gateway ◄─────────┤
//!                              │              │
//!                              ▼              ▼
//!                             mesh ───► service ───► engine ─► capabilities ─► store
//!
//!  api, aside, conditions, config, listener, settings, shutdown, spelling, telemetry, turns:
//!  leaves that all may use
//! ```
//!
//! | room | what it is for |
//! |---|---|
//! | [`cli`] | what a user types, one file a command |
//! | [`host`] | the composition root: build, run, drain |
//! | [`admin`] | the operators' API over HTTP, and its client |
//! | [`deploy`] | what is deployed and how that changes: verify, compile, link, warm, swap, drain |
//! | [`gateway`] | HTTP in front of the services: connections, routes, transcoding, answers |
//! | [`mesh`] | the one path of every call; which revisions are live; links between services |
//! | [`service`] | revisions, their contracts and their pools of instances |
//! | [`engine`] | WebAssembly: compiled code, instances, values |
//! | [`capabilities`] | what components may use: buckets, configuration, logging, their call's context |
//! | [`store`] | what is on disk |
//! | [`conditions`] | `If-Match` and `If-None-Match` |
//! | [`spelling`] | paths that have one reading, and those that have several |
//! | [`settings`] | what a revision or an upstream is deployed with |
//! | [`api`] | the shapes that the admin API and its clients exchange |
//!
//! # Invariants
//!
//! 1. No request that the gateway accepted is lost to a deploy, a rollback, a
//!    change of size or a drain.
//! 2. An acknowledged write or deployment survives `kill -9`.
//! 3. A component can use nothing that it was not granted, and can't harm another:
//!    not its memory, its time or its state.
//! 4. `wasmtime` is named only under [`engine`] and [`capabilities`], `sled` only
//!    under [`store`]; a status is chosen only in `gateway::respond` and
//!    `admin::problem`.
//! 5. Every limit has a default, and every default stands in one place with its reason.
//! 6. No error path ends an accept loop, and no component can panic the host.

pub mod admin;
pub mod api;
pub mod aside;
pub mod capabilities;
pub mod cli;
pub mod conditions;
pub mod config;
pub mod deploy;
pub mod engine;
#[doc(hidden)]
pub mod fuzzing;
pub mod gateway;
pub mod host;
pub mod listener;
pub mod manifest;
pub mod mesh;
pub mod service;
pub mod settings;
pub mod shutdown;
pub mod spelling;
pub mod store;
pub mod telemetry;
pub mod turns;
