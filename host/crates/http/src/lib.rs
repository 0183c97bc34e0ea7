//! HTTP without a word of Stoa.
//!
//! - [`listener`]: accepting connections, which no error ends;
//! - [`connection`]: one connection from its first byte to its last;
//! - [`peers`]: how many connections each address has;
//! - [`tls`]: certificates by name, and clients that are known by theirs;
//! - [`jwt`]: signed tokens, and the keys that issuers publish;
//! - [`client`]: who is at the other end of a connection;
//! - [`proxies`]: whom to believe about that;
//! - [`cache`]: what may be stored, where, and for how long, and the memory for it;
//! - [`conditions`]: `If-Match` and `If-None-Match`;
//! - [`validators`]: entity tags;
//! - [`cors`]: what pages of other origins may do;
//! - [`compress`]: content codings, of responses and of requests;
//! - [`min_rate`]: how slowly a request's body may come;
//! - [`remainder`]: what of a request's body nobody has read;
//! - [`rate_limit`]: what a caller is told of its limit;
//! - [`problem`]: what went wrong, as a document;
//! - [`body`]: what is known of a body before it is sent;
//! - [`vary`](mod@vary): which headers of a request a response depends on;
//! - [`shutdown`]: the end of a process, and waiting for what is under way;
//! - [`aside`](mod@aside): work that few requests need, out of the way of the others.
//!
//! A leaf: it uses no other crate of the host. What a request means, and who may do what,
//! is for those who use it.

pub mod aside;
pub mod body;
pub mod cache;
pub mod client;
pub mod compress;
pub mod conditions;
pub mod connection;
pub mod cors;
pub mod jwt;
pub mod listener;
pub mod min_rate;
pub mod peers;
pub mod problem;
pub mod proxies;
pub mod rate_limit;
pub mod remainder;
pub mod shutdown;
pub mod tls;
pub mod validators;
pub mod vary;
