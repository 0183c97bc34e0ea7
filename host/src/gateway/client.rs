//! Who is at the other end of a connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::capabilities::context::Principal;

/// The client of one connection, as far as the connection tells.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// The other end of the socket.
    pub(super) peer: SocketAddr,
}

impl Client {
    pub(super) fn new(peer: SocketAddr) -> Self {
        Self { peer }
    }

    /// The address that limits and logs go by.
    pub(super) fn address(&self) -> IpAddr {
        self.peer.ip()
    }

    /// Whether nobody between can read along.
    pub(super) fn over_tls(&self) -> bool {
        false
    }

    /// The principal of the client's certificate, where it showed one.
    pub(super) fn certificate(&self) -> Option<&Arc<Principal>> {
        None
    }
}
