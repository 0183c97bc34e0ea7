//! HTTP services that are no components, balanced and guarded like those that are.
//!
//! ```text
//!  declared (manifest, API) ─► Upstream: settings ─┐
//!  joins with a lease (API) ─► Members: instances ─┴► send: pick, connect, retry
//! ```
//!
//! - [`registry`]: all upstreams by name, and what joins or leaves them;
//! - [`members`]: the instances of one upstream; [`instance`]: one of them;
//! - [`watch`]: their breakers, and who is told of them;
//! - [`eviction`]: which leases that ran out end; [`health`]: active checks;
//! - [`balance`]: who gets the next request; [`send`]: how it is sent, [`answer`]:
//!   and what comes back; [`switch`]: a WebSocket instead of an answer.
//!
//! What is declared is kept by who declares it; a lease lives in memory only, as
//! its holder renews it or joins again. Knows nothing of routes and statuses.

mod answer;
mod balance;
mod body;
mod eviction;
pub mod gauges;
mod head;
pub mod headers;
pub mod health;
pub mod instance;
pub mod members;
pub mod registry;
mod send;
mod switch;
mod watch;

use std::sync::Arc;

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;

pub use instance::{Instance, Registration, Status};
pub use members::Members;
pub use registry::{NotRegistered, Upstreams};
pub use switch::{FarEnd, Held, Switched};

pub(super) use head::Wants;
pub(super) use send::Answered;

use super::gate::Gate;
use stoa_settings::upstream::UpstreamSettings;

type HttpClient = Client<HttpsConnector<HttpConnector>, body::Lent>;

/// An upstream as it was declared, with who serves it now.
pub struct Upstream {
    /// Its name, in the namespace of services.
    pub name: Arc<str>,
    /// Counts its declarations from 1; 0 where it was never declared and only joined.
    pub number: u64,
    /// What it was declared with.
    pub settings: UpstreamSettings,
    /// Whether it takes requests.
    pub gate: Arc<Gate>,
    /// Who serves it; declared anew, it keeps them.
    pub members: Arc<Members>,
    client: HttpClient,
    /// For what begins another protocol: HTTP/2 has no `Upgrade`, and nothing of such a
    /// connection is left to be used again.
    switching: HttpClient,
    room: Arc<tokio::sync::Semaphore>,
}

impl Upstream {
    fn client(&self, wants: Wants) -> &HttpClient {
        match wants {
            Wants::Answer => &self.client,
            Wants::WebSocket => &self.switching,
        }
    }
}
