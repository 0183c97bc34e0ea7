//! What end-to-end tests share.
//!
//! - [`guests`] and [`components`]: paths of what `build.rs` built
//! - [`process`]: the real `stoa` binary as a host process, its [`output`];
//!   [`command`]: the same binary as a command
//! - [`admin`]: a client of the admin API; [`service`]: what is deployed by it
//! - [`client`]: HTTP/1.1 and HTTP/2; [`raw`]: bytes on a socket
//! - [`origin`]: HTTP servers outside of the host; [`fault_proxy`]: what spoils a
//!   connection
//! - [`tls`]: certificates, and clients that believe them
//! - [`frames`]: HTTP/2 frame by frame
//! - [`issuer`]: signed tokens, and a server of the keys that check them
//! - [`webhook`]: signatures of webhooks
//! - [`load`]: many connections that count every answer
//! - [`docs`]: README.md and the manual, as tests read them
//!
//! Knows the host by its binary, its sockets and its files only: it depends on
//! no crate of the host.

pub mod admin;
pub mod client;
pub mod command;
pub mod docs;
pub mod fault_proxy;
pub mod frames;
pub mod issuer;
pub mod load;
pub mod origin;
pub mod output;
pub mod process;
pub mod raw;
pub mod service;
pub mod tls;
pub mod webhook;

/// Guests of the tests, one behaviour each: `tests/guests/examples`.
pub mod guests {
    include!(concat!(env!("OUT_DIR"), "/guests.rs"));
}

/// The shop's components.
pub mod components {
    include!(concat!(env!("OUT_DIR"), "/components.rs"));
}

// `guests_file!()`: a test binary includes that file in a module of its own
// under `deny(dead_code)`, so that a guest that no test uses does not compile.
include!(concat!(env!("OUT_DIR"), "/guests_file.rs"));
