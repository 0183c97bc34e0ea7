//! Proxies before the host: whom to believe about where a request comes from.
//!
//! Only a proxy that the settings name is believed. What anybody else says of it
//! neither counts here nor goes on.

mod forwarded;
mod protocol;

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::Client;

/// The proxies of one host.
pub struct Proxies {
    trusted: Vec<IpNet>,
    protocol: ProxyProtocol,
}

/// Whether connections begin with a header that tells who the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// They don't.
    Off,
    /// All do, and all come from trusted proxies.
    Required {
        /// How long the header may take.
        timeout: Duration,
    },
}

/// Why a connection is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Untold {
    /// Its peer is not trusted.
    #[error("expected a connection of a trusted proxy")]
    Stranger,
    /// The peer took too long.
    #[error("the header of the PROXY protocol did not come in time")]
    Timeout,
    /// It began with something else.
    #[error("expected a header of the PROXY protocol: {0}")]
    Header(#[from] io::Error),
}

impl Proxies {
    /// Those of the `trusted` networks.
    pub fn new(trusted: Vec<IpNet>, protocol: ProxyProtocol) -> Self {
        Self { trusted, protocol }
    }

    /// Whether what it says of others is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }

    /// Whose connection this is, by the PROXY protocol where it is spoken.
    ///
    /// One of which the header names no client (`UNKNOWN`, `LOCAL`, or a family that has
    /// no addresses here) is the proxy's own, as the protocol's specification has it: a
    /// health check. The proxy did not look at what it carries, so nobody is believed
    /// there about others.
    ///
    /// # Errors
    /// When the protocol is spoken, and not by a trusted proxy or not as it is.
    pub async fn introduced<P>(
        &self,
        stream: &mut TcpStream,
        peer: SocketAddr,
    ) -> Result<Client<P>, Untold> {
        let ProxyProtocol::Required { timeout: time } = self.protocol else {
            return Ok(Client::new(peer));
        };
        if !self.trusts(peer.ip()) {
            return Err(Untold::Stranger);
        }
        let told = timeout(time, protocol::read(stream)).await;
        Ok(match told.map_err(|_| Untold::Timeout)?? {
            Some(client) => Client::new(client),
            None => Client::new(peer).of_itself(),
        })
    }

    /// The client of a request, by what trusted proxies say of it: from the right,
    /// each trusted address vouches for the one before it.
    ///
    /// # Errors
    ///
    /// Says what is wrong when the two kinds of headers name different clients: a
    /// proxy writes one kind and passes the other on as it came.
    pub fn client<'c, P>(
        &self,
        client: &'c Arc<Client<P>>,
        headers: &HeaderMap,
    ) -> Result<Cow<'c, Arc<Client<P>>>, &'static str> {
        if self.trusted.is_empty() || client.is_of_itself() || !self.trusts(client.address()) {
            return Ok(Cow::Borrowed(client));
        }
        let known = |address| self.trusts(address);
        let standard = forwarded::standard(headers, client.address(), known)?;
        let common = forwarded::common(headers, client.address(), known);
        let told = match (standard, common) {
            (None, None) => return Ok(Cow::Borrowed(client)),
            (Some(told), None) | (None, Some(told)) => told,
            (Some(standard), Some(common)) => forwarded::both(standard, common)?,
        };
        let client = Client::clone(client).told(told);
        Ok(Cow::Owned(Arc::new(client)))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn proxies() -> Proxies {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        Proxies::new(trusted.into(), ProxyProtocol::Off)
    }

    fn seen(peer: &str, headers: &[(&'static str, &'static str)]) -> Result<String, &'static str> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let client = Arc::new(Client::<()>::new(peer.parse().unwrap()));
        let found = proxies().client(&client, &map)?;
        Ok(found.address().to_string())
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let told = [
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
        ];
        assert_eq!(seen("198.51.100.7:1", &told).unwrap(), "198.51.100.7");
        assert_eq!(seen("10.1.2.3:1", &told).unwrap(), "192.0.2.1");
        assert_eq!(seen("[::ffff:10.1.2.3]:1", &told).unwrap(), "192.0.2.1");
        assert_eq!(seen("10.1.2.3:1", &[]).unwrap(), "10.1.2.3");
    }

    #[test]
    fn the_walk_ends_at_the_first_who_is_not_trusted() {
        for (value, expected) in [
            ("192.0.2.66, 192.0.2.1", "192.0.2.1"),
            ("192.0.2.66, 192.0.2.1, 10.9.9.9", "192.0.2.1"),
            ("192.0.2.66, nonsense, 10.9.9.9", "10.9.9.9"),
            ("10.8.8.8, 10.9.9.9", "10.8.8.8"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]:80, fd00::1", "2001:db8::7"),
            ("", "10.1.2.3"),
        ] {
            let found = seen("10.1.2.3:1", &[("x-forwarded-for", value)]);
            assert_eq!(found.unwrap(), expected, "{value:?}");
        }
        let lines = [
            ("x-forwarded-for", "192.0.2.66"),
            ("x-forwarded-for", "192.0.2.1"),
        ];
        assert_eq!(seen("10.1.2.3:1", &lines).unwrap(), "192.0.2.1");
    }

    #[test]
    fn rfc_7239_is_read_with_its_quotes() {
        for (value, expected) in [
            ("for=192.0.2.66, for=192.0.2.1;proto=https", "192.0.2.1"),
            ("For=\"[2001:db8::7]:4711\"", "2001:db8::7"),
            (
                "for=192.0.2.66;host=\"a, for=192.0.2.9\", for=192.0.2.1",
                "192.0.2.1",
            ),
            ("proto=https;for=\"192.0.2.1:80\"; by=10.0.0.1", "192.0.2.1"),
            ("for=unknown", "10.1.2.3"),
            ("for=_hidden, for=10.9.9.9", "10.9.9.9"),
        ] {
            let found = seen("10.1.2.3:1", &[("forwarded", value)]);
            assert_eq!(found.unwrap(), expected, "{value:?}");
        }
        let hidden = [("forwarded", "for=\"x, for=192.0.2.1")];
        assert!(
            seen("10.1.2.3:1", &hidden).is_err(),
            "a quote hides what the proxy adds"
        );
        let quoted = [("x-forwarded-for", "\", 192.0.2.1")];
        assert_eq!(seen("10.1.2.3:1", &quoted).unwrap(), "192.0.2.1");
    }

    /// Address, scheme and host of who is at the other end.
    fn told(headers: &[(&'static str, &'static str)]) -> (String, String, Option<String>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let client = Arc::new(Client::<()>::new("10.1.2.3:1".parse().unwrap()));
        let found = proxies().client(&client, &map).unwrap();
        let host = found.told_host().map(str::to_owned);
        (
            found.address().to_string(),
            found.scheme().to_string(),
            host,
        )
    }

    #[test]
    fn scheme_and_host_need_no_address() {
        let proto = ("x-forwarded-proto", "https");
        let host = ("x-forwarded-host", "shop.example");
        let is = |address: &str, scheme: &str, host: Option<&str>| {
            (
                address.to_owned(),
                scheme.to_owned(),
                host.map(str::to_owned),
            )
        };
        let of_peer = |scheme, host| is("10.1.2.3", scheme, host);
        assert_eq!(told(&[proto]), of_peer("https", None));
        assert_eq!(told(&[host]), of_peer("http", Some("shop.example")));
        assert_eq!(told(&[proto, host]), of_peer("https", Some("shop.example")));
        for (value, expected) in [
            ("proto=https", of_peer("https", None)),
            ("for=unknown;proto=https", of_peer("https", None)),
            (
                "for=\"_hidden:_port\";proto=https;host=shop.example",
                of_peer("https", Some("shop.example")),
            ),
            ("proto=https;for=Unknown:80", of_peer("https", None)),
            ("for=192.0.2.66, proto=https", of_peer("https", None)),
            (
                "for=_hidden;proto=https, for=10.9.9.9",
                is("10.9.9.9", "https", None),
            ),
            (
                "for=_hidden, for=10.9.9.9;proto=https",
                is("10.9.9.9", "https", None),
            ),
            // No client of a proxy is called so.
            ("for=nonsense;proto=https", of_peer("http", None)),
            ("for=_;proto=https", of_peer("http", None)),
            ("for;proto=https", of_peer("http", None)),
        ] {
            assert_eq!(told(&[("forwarded", value)]), expected, "{value:?}");
        }
    }

    #[test]
    fn who_is_not_named_is_nobody_else() {
        let hidden = ("forwarded", "for=_hidden;proto=https");
        let address = ("x-forwarded-for", "192.0.2.1");
        let proto = ("x-forwarded-proto", "https");
        let found = told(&[hidden, address, proto]);
        assert_eq!((&*found.0, &*found.1), ("192.0.2.1", "https"));
        // One of both kinds may be the client's own word.
        let found = told(&[hidden, address]);
        assert_eq!((&*found.0, &*found.1), ("192.0.2.1", "http"));
        let found = told(&[hidden, ("x-forwarded-proto", "http")]);
        assert_eq!((&*found.0, &*found.1), ("10.1.2.3", "http"));
        let found = told(&[("forwarded", "for=192.0.2.1;proto=http"), proto]);
        assert_eq!((&*found.0, &*found.1), ("192.0.2.1", "http"));
    }

    #[test]
    fn headers_that_contradict_each_other_are_refused() {
        let told = [
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.66"),
        ];
        assert!(seen("10.1.2.3:1", &told).is_err());
    }
}
