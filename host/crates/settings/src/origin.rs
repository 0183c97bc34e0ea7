//! Origins that outgoing HTTP is granted: `https://api.example.com`.
//!
//! Scheme, host and port must all fit; a host may begin with `*.`. Knows nothing
//! of addresses: that a name may not lead to the inside is checked when it is used.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use http::Uri;

use super::service_name;

/// What a request asks for, in one spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whether it is `https`.
    pub tls: bool,
    /// Where it goes.
    pub host: Host,
    /// The port, also where it is left out.
    pub port: u16,
}

/// A host as a URL names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// In lower case, without a dot at its end.
    Name(String),
    /// An address that is written out.
    Address(IpAddr),
}

/// A grant for origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginGrant {
    tls: bool,
    host: Pattern,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// `*`.
    Any,
    /// `*.example.com`: every name below, but not the name itself.
    Below(String),
    Exactly(Host),
}

/// The last label of names that the host itself serves: `http://NAME.svc`.
const INTERNAL: &str = ".svc";

impl Origin {
    /// The origin of a request's URI.
    ///
    /// # Errors
    ///
    /// What was expected and what was found.
    pub fn of(uri: &Uri) -> Result<Self, String> {
        let authority = uri.authority().map(|authority| authority.as_str());
        parse(uri.scheme_str(), authority)
            .ok_or_else(|| format!("expected http://HOST or https://HOST, found {uri}"))
    }

    /// The service that it names, if it is `http://NAME.svc`.
    pub fn service(&self) -> Option<&str> {
        match &self.host {
            Host::Name(name) if !self.tls && self.port == 80 => name.strip_suffix(INTERNAL),
            _ => None,
        }
    }

    /// Whether it means this machine by name or by address.
    pub fn is_literal(&self) -> bool {
        match &self.host {
            Host::Address(_) => true,
            Host::Name(name) => name == "localhost",
        }
    }
}

impl OriginGrant {
    /// Reads a grant.
    ///
    /// # Errors
    ///
    /// What was expected and what was found.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "expected an origin such as \"https://api.example.com\", \"https://*.example.com\" or \
                 \"http://NAME.svc\", found {text:?}"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        if rest.is_empty() || rest.contains(['/', '?', '#', '@']) {
            return Err(bad());
        }
        let (star, rest) = match rest.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        // Stands for any name, so that port and scheme are read as of one.
        let any = rest == "*" || rest.starts_with("*:");
        let named = if any {
            rest.replacen('*', "any", 1)
        } else {
            rest.to_owned()
        };
        let origin = parse(Some(scheme), Some(&named)).ok_or_else(bad)?;
        if let Host::Name(name) = &origin.host
            && name.ends_with(INTERNAL)
        {
            is_service(&origin, star, text)?;
        }
        let host = match (origin.host, star) {
            _ if any && !star => Pattern::Any,
            (Host::Name(name), true) if !any && name.contains('.') => Pattern::Below(name),
            (_, true) => return Err(bad()),
            (host, false) => Pattern::Exactly(host),
        };
        Ok(Self {
            tls: origin.tls,
            host,
            port: origin.port,
        })
    }

    /// Whether a request may go there.
    pub fn allows(&self, origin: &Origin) -> bool {
        if self.tls != origin.tls || self.port != origin.port {
            return false;
        }
        match (&self.host, &origin.host) {
            (Pattern::Exactly(granted), asked) => granted == asked,
            // Services of this host are named one by one, and so are addresses.
            (_, Host::Address(_)) => false,
            (_, Host::Name(name)) if name.ends_with(INTERNAL) || name == "localhost" => false,
            (Pattern::Any, Host::Name(_)) => true,
            (Pattern::Below(parent), Host::Name(name)) => name
                .strip_suffix(parent)
                .is_some_and(|below| below.len() > 1 && below.ends_with('.')),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, default) = if self.tls {
            ("https", 443)
        } else {
            ("http", 80)
        };
        write!(f, "{scheme}://")?;
        match &self.host {
            Host::Name(name) => write!(f, "{name}")?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Host::Address(address) => write!(f, "{address}")?,
        }
        if self.port == default {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

/// Refuses a grant for a name of this host's that leads to no service.
fn is_service(origin: &Origin, star: bool, text: &str) -> Result<(), String> {
    let name = origin.service().filter(|_| !star);
    if name.is_some_and(|name| service_name(name).is_ok()) {
        return Ok(());
    }
    Err(format!(
        "expected \"http://NAME.svc\" for the service NAME of this host, found {text:?}: names in .svc are this \
         host's own, and it takes calls of them as http without a port only"
    ))
}

fn parse(scheme: Option<&str>, authority: Option<&str>) -> Option<Origin> {
    let tls = match scheme?.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let authority = authority?;
    if authority.contains('@') {
        return None;
    }
    let (host, port) = split(authority)?;
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        None if tls => 443,
        None => 80,
    };
    Some(Origin {
        tls,
        host: self::host(host)?,
        port,
    })
}

fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    if authority.starts_with('[') {
        let end = authority.find(']')? + 1;
        let (host, rest) = authority.split_at(end);
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None if rest.is_empty() => Some((host, None)),
            None => None,
        };
    }
    Some(match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    })
}

fn host(text: &str) -> Option<Host> {
    if let Some(inner) = text.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(Host::Address(IpAddr::V6(address)));
    }
    if let Ok(address) = text.parse() {
        return Some(Host::Address(IpAddr::V4(address)));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |label: &str| {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(legal)
    };
    // Resolvers take `0x7f.1`, `017700000001` and `2130706433` for 127.0.0.1: a name
    // whose last label is a number is an address that hides.
    let last = name.rsplit('.').next().unwrap_or_default();
    let digits = last.strip_prefix("0x").map_or_else(
        || last.bytes().all(|b| b.is_ascii_digit()),
        |hex| hex.bytes().all(|b| b.is_ascii_hexdigit()),
    );
    (name.len() <= 253 && name.split('.').all(label) && !digits).then_some(Host::Name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(grant: &str, uri: &str) -> bool {
        let grant = OriginGrant::parse(grant).unwrap();
        Origin::of(&uri.parse().unwrap()).is_ok_and(|origin| grant.allows(&origin))
    }

    #[test]
    fn scheme_host_and_port_must_fit() {
        for (grant, uri) in [
            ("https://api.example.com", "https://api.example.com/a?b"),
            ("https://api.example.com", "https://API.example.com.:443/"),
            ("https://*.example.com", "https://a.b.example.com/"),
            (
                "http://api.example.com:8080",
                "http://api.example.com:8080/",
            ),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/"),
            ("http://[::1]", "http://[0:0:0:0:0:0:0:1]/"),
            ("http://order.svc", "http://order.svc/a"),
            ("https://*", "https://anything.example/"),
        ] {
            assert!(allows(grant, uri), "{grant} for {uri}");
        }
        for (grant, uri) in [
            ("https://api.example.com", "http://api.example.com/"),
            ("https://api.example.com", "https://api.example.com:8443/"),
            (
                "https://api.example.com",
                "https://api.example.com.evil.example/",
            ),
            ("https://*.example.com", "https://example.com/"),
            ("https://*.example.com", "https://evilexample.com/"),
            ("https://*", "http://anything.example/"),
            ("http://*", "http://order.svc/"),
            ("http://*", "http://localhost/"),
            ("http://*", "http://127.0.0.1/"),
            ("http://*", "http://[::1]/"),
            ("http://127.0.0.1", "http://localhost/"),
        ] {
            assert!(!allows(grant, uri), "{grant} for {uri}");
        }
    }

    #[test]
    fn addresses_that_hide_are_no_origin() {
        for uri in [
            "http://0x7f.1/",
            "http://0x7f000001/",
            "http://017700000001/",
            "http://2130706433/",
            "http://127.1/",
            "http://0177.0.0.1/",
            "http://user@127.0.0.1/",
            "ftp://a/",
        ] {
            let origin = Origin::of(&uri.parse().unwrap());
            assert!(origin.is_err(), "{uri} is {origin:?}");
        }
    }

    #[test]
    fn a_malformed_grant_is_none() {
        for text in [
            "",
            "api.example.com",
            "https://",
            "https://a/b",
            "https://a/",
            "https://a?b",
            "https://u@a",
            "https://*.com:x",
            "https://a*.example.com",
            "https://*.",
            "https://*.*",
            "https://*.127.0.0.1",
            "https://0x7f.1",
            "ws://a",
            "https://a:0",
        ] {
            assert!(OriginGrant::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_service_of_this_host_is_granted_as_it_is_called() {
        for fine in [
            "http://order.svc",
            "http://ORDER.svc:80",
            "https://order.svc.example",
        ] {
            assert!(OriginGrant::parse(fine).is_ok(), "{fine}");
        }
        for text in [
            "https://order.svc",
            "https://order.svc:80",
            "http://order.svc:8080",
            "http://*.order.svc",
            "http://a.order.svc",
            "http://or_der.svc",
        ] {
            let told = OriginGrant::parse(text).unwrap_err();
            assert!(told.contains(text), "{told}");
            assert!(
                told.contains("\"http://NAME.svc\"") && told.contains("as http"),
                "{told}"
            );
        }
    }

    #[test]
    fn services_of_this_host_have_names_of_their_own() {
        let service = |uri: &str| {
            let origin = Origin::of(&uri.parse().unwrap()).unwrap();
            origin.service().map(str::to_owned)
        };
        assert_eq!(service("http://order.svc/a").as_deref(), Some("order"));
        assert_eq!(service("http://order.svc:80/a").as_deref(), Some("order"));
        assert_eq!(service("http://order.svc:81/a"), None);
        assert_eq!(service("https://order.svc/a"), None);
        assert_eq!(service("http://order.svc.example/a"), None);
    }
}
