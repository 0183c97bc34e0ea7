//! Who is at the other end of a connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use http::uri::{self, Authority};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::tls::{Certificate, Ended};

/// The client of one connection, as far as the connection tells, and for one request
/// what trusted proxies tell beyond that. `P` is what a client with a certificate is to
/// those who serve it.
#[derive(Debug)]
pub struct Client<P> {
    address: IpAddr,
    scheme: Scheme,
    host: Option<String>,
    speaks: Speaks,
    certificate: Option<Arc<Certificate<P>>>,
    headers: OnceLock<[(HeaderName, HeaderValue); 3]>,
}

/// How a client speaks to whoever accepted its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

/// For whom a connection's requests may be, if it is a trusted proxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaks {
    /// For whom its headers tell.
    ForOthers,
    /// For the proxy alone.
    ForItself,
}

/// What proxies that are believed tell of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForwardedClient {
    /// `None` where they name nobody: it is known by the proxy's then.
    pub address: Option<IpAddr>,
    /// Whether it speaks TLS.
    pub secure: Option<bool>,
    /// The host that it asks for.
    pub host: Option<String>,
}

// Whatever the client is to those who serve it, it is shared.
impl<P> Clone for Client<P> {
    fn clone(&self) -> Self {
        Self {
            address: self.address,
            scheme: self.scheme,
            host: self.host.clone(),
            speaks: self.speaks,
            certificate: self.certificate.clone(),
            headers: self.headers.clone(),
        }
    }
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

impl<P> Client<P> {
    /// One that has connected from `peer`.
    pub fn new(peer: SocketAddr) -> Self {
        Self {
            address: peer.ip().to_canonical(),
            scheme: Scheme::Http,
            host: None,
            speaks: Speaks::ForOthers,
            certificate: None,
            headers: OnceLock::new(),
        }
    }

    /// The same, over TLS, and perhaps with a certificate that was verified.
    pub fn secured(self, certificate: Option<Arc<Certificate<P>>>) -> Self {
        Self {
            scheme: Scheme::Https,
            certificate,
            ..self
        }
    }

    /// The same, of which a proxy says that it is its own.
    pub fn of_itself(self) -> Self {
        Self {
            speaks: Speaks::ForItself,
            ..self
        }
    }

    /// Whether the connection can't be anybody's but its peer's.
    pub fn is_of_itself(&self) -> bool {
        self.speaks == Speaks::ForItself
    }

    /// The same, as trusted proxies tell.
    pub fn told(self, told: ForwardedClient) -> Self {
        Self {
            address: told.address.unwrap_or(self.address),
            scheme: match told.secure {
                None => self.scheme,
                Some(false) => Scheme::Http,
                Some(true) => Scheme::Https,
            },
            host: told.host,
            speaks: self.speaks,
            // It is the proxy's, and says nothing of who is behind it.
            certificate: None,
            headers: OnceLock::new(),
        }
    }

    /// The address that limits and logs go by.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether nobody between can read along.
    pub fn over_tls(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The scheme of what it asks for.
    pub fn scheme(&self) -> uri::Scheme {
        match self.scheme {
            Scheme::Http => uri::Scheme::HTTP,
            Scheme::Https => uri::Scheme::HTTPS,
        }
    }

    /// The host that it asked a proxy for, if that is one.
    pub fn told_authority(&self) -> Option<Authority> {
        let told = Authority::try_from(self.host.as_deref()?).ok()?;
        Some(told).filter(|told| !told.as_str().contains('@'))
    }

    /// The host that it asked a proxy for, as the proxy tells.
    pub fn told_host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Who the client is, by its verified certificate.
    pub fn certificate(&self) -> Option<&Arc<P>> {
        self.certificate.as_ref()?.principal()
    }

    /// Whether its certificate is still good, if it showed one: asked for each request.
    ///
    /// # Errors
    /// Why it is not.
    pub fn stands(&self) -> Result<(), Ended> {
        let certificate = self.certificate.as_ref();
        certificate.map_or(Ok(()), |certificate| certificate.stands(now()))
    }

    /// Whether a request found that the certificate is good no longer.
    pub fn has_ended(&self) -> bool {
        let certificate = self.certificate.as_ref();
        certificate.is_some_and(|certificate| certificate.has_ended())
    }

    /// Tells whoever the request goes on to whose it is, in the headers of RFC 7239 and the
    /// ones that most frameworks read.
    pub fn introduce(&self, headers: &mut HeaderMap) {
        let own = self.headers.get_or_init(|| self.headers());
        for (name, value) in own {
            headers.insert(name.clone(), value.clone());
        }
        let host = self.host.as_deref();
        if let Some(host) = host.and_then(|host| HeaderValue::from_str(host).ok()) {
            headers.insert(FORWARDED_HOST, host);
        }
    }

    /// Tells an upstream also which host the client asked for, unless a proxy knows
    /// better.
    pub fn ask_for(&self, host: &HeaderValue, headers: &mut HeaderMap) {
        let named = headers
            .entry(FORWARDED_HOST)
            .or_insert_with(|| host.clone());
        let Ok(named) = named.to_str().map(str::to_owned) else {
            return;
        };
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        let told = headers
            .get(header::FORWARDED)
            .and_then(|told| told.to_str().ok());
        if let Some(told) = told
            && named.bytes().all(plain)
            && let Ok(told) = HeaderValue::try_from(format!("{told};host=\"{named}\""))
        {
            headers.insert(header::FORWARDED, told);
        }
    }

    fn headers(&self) -> [(HeaderName, HeaderValue); 3] {
        let proto = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let address = self.address.to_string();
        let node = match self.address {
            IpAddr::V4(_) => address.clone(),
            IpAddr::V6(_) => format!("\"[{address}]\""),
        };
        let value = |text: String| {
            HeaderValue::try_from(text).expect("addresses are printable and have no line ends")
        };
        [
            (
                header::FORWARDED,
                value(format!("for={node};proto={proto}")),
            ),
            (FORWARDED_FOR, value(address)),
            (FORWARDED_PROTO, HeaderValue::from_static(proto)),
        ]
    }
}

/// Seconds since 1970; 0 when the clock is before.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
