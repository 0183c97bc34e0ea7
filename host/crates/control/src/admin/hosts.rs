//! By which names the port may be asked: one that was bound anew to this machine must not
//! lead here.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::uri::Authority;

/// By which names the port may be asked.
#[derive(Debug, Clone)]
pub enum Hosts {
    /// Any: it is open to a network, which has its own names.
    Any,
    /// Those of this machine: addresses, `localhost`, and these.
    Local(Arc<[String]>),
}

// === impl Hosts ===

impl Hosts {
    /// Those of a port that listens here; `more` are further names of it.
    pub fn of(listens: SocketAddr, more: &[String]) -> Self {
        if listens.ip().to_canonical().is_loopback() {
            Self::Local(more.into())
        } else {
            Self::Any
        }
    }

    /// A name that is bound anew is a name: addresses are what they are.
    pub(super) fn has(&self, host: &str) -> bool {
        let Self::Local(more) = self else {
            return true;
        };
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        address.parse::<IpAddr>().is_ok()
            || name == "localhost"
            || name.ends_with(".localhost")
            || more.iter().any(|known| known.eq_ignore_ascii_case(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_open_to_a_network_has_any_name() {
        let of = |listens: &str| Hosts::of(listens.parse().unwrap(), &["stoa.internal".into()]);
        for loopback in [
            "127.0.0.1:8081",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            let hosts = of(loopback);
            assert!(hosts.has("stoa.internal") && hosts.has("127.0.0.1:8081"));
            assert!(!hosts.has("stoa.example") && !hosts.has(""), "{loopback}");
        }
        for open in ["0.0.0.0:8081", "10.0.0.1:1", "[::]:1"] {
            assert!(of(open).has("stoa.example"), "{open}");
        }
    }
}
