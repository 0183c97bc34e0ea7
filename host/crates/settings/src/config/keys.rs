//! Every key of the host's settings, and how a text sets it.
//!
//! One table serves all [sources](super::sources), so that none of them can know a key
//! that another does not.

use std::path::PathBuf;
use std::time::Duration;

use super::tls::ClientAuth;
use super::{AccessLog, Config, Development, LogFormat, ProxyProtocol, jwt, values};
use crate::{By, Compression, Rate};

/// A setting: its key with its table, and how a text sets it.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    set: Set,
}

/// Whose setting it is.
#[derive(Clone, Copy)]
enum Set {
    Host(fn(&mut Config, &str) -> Result<(), String>),
    Issuer(jwt::Set),
}

/// All settings.
pub(super) fn all() -> impl Iterator<Item = Key> {
    let of_issuer = |(name, set)| Key {
        name,
        set: Set::Issuer(set),
    };
    KEYS.iter().copied().chain(jwt::SETTINGS.map(of_issuer))
}

impl Key {
    /// Sets it by a text.
    pub(super) fn set(self, config: &mut Config, text: &str) -> Result<(), String> {
        match self.set {
            Set::Host(set) => set(config, text),
            Set::Issuer(set) => set(&mut config.jwt.issuer, text),
        }
    }
}

const fn key(name: &'static str, set: fn(&mut Config, &str) -> Result<(), String>) -> Key {
    Key {
        name,
        set: Set::Host(set),
    }
}

fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

const FORMATS: [(&str, LogFormat); 3] = [
    ("auto", LogFormat::Auto),
    ("pretty", LogFormat::Pretty),
    ("json", LogFormat::Json),
];

const ACCESS: [(&str, AccessLog); 3] = [
    ("off", AccessLog::Off),
    ("errors", AccessLog::Errors),
    ("all", AccessLog::All),
];

const SWITCH: [(&str, bool); 2] = [("on", true), ("off", false)];

const COMPRESSION: [(&str, Compression); 2] = [("on", Compression::On), ("off", Compression::Off)];
const DEVELOPMENT: [(&str, Development); 2] = [("on", Development::On), ("off", Development::Off)];

const PROXY_PROTOCOL: [(&str, ProxyProtocol); 2] = [
    ("off", ProxyProtocol::Off),
    ("required", ProxyProtocol::Required),
];

const CLIENT_AUTH: [(&str, ClientAuth); 2] = [
    ("optional", ClientAuth::Optional),
    ("required", ClientAuth::Required),
];

/// Where a memory ends that is addressed with 32 bits.
const MEMORY_END: u64 = 4 << 30;

const KEYS: &[Key] = &[
    key("listen", |c, v| put(&mut c.listen, values::address(v))),
    key("admin", |c, v| put(&mut c.admin, values::address(v))),
    key("admin_hosts", |c, v| {
        put(&mut c.admin_hosts, values::list_of(v, host_name))
    }),
    key("data", |c, v| put(&mut c.data, path(v))),
    key("secrets.key_file", |c, v| {
        put(&mut c.secrets_key, path(v).map(Some))
    }),
    key("region", |c, v| put(&mut c.region, Ok(non_empty(v)))),
    key("drain", |c, v| put(&mut c.drain, values::duration(v))),
    key("gateway.header_timeout", |c, v| {
        put(&mut c.gateway.header_timeout, values::positive(v))
    }),
    key("gateway.idle_timeout", |c, v| {
        put(&mut c.gateway.idle_timeout, values::positive(v))
    }),
    key("gateway.max_connections", |c, v| {
        put(
            &mut c.gateway.max_connections,
            values::number(v, 1..=1_000_000),
        )
    }),
    key("gateway.max_header_bytes", |c, v| {
        put(&mut c.gateway.max_header_bytes, header_bytes(v))
    }),
    key("gateway.max_headers", |c, v| {
        put(&mut c.gateway.max_headers, values::number(v, 1..=4096))
    }),
    key("gateway.http2_streams", |c, v| {
        put(&mut c.gateway.http2_streams, values::number(v, 1..=65_535))
    }),
    key("gateway.rate", |c, v| put(&mut c.gateway.rate, rate(v))),
    key("gateway.compression", |c, v| {
        put(&mut c.gateway.compression, values::word(v, &COMPRESSION))
    }),
    key("gateway.security_headers", |c, v| {
        put(&mut c.gateway.security.on, values::word(v, &SWITCH))
    }),
    key("gateway.content_security_policy", |c, v| {
        put(&mut c.gateway.security.content_security_policy, header(v))
    }),
    key("gateway.referrer_policy", |c, v| {
        put(&mut c.gateway.security.referrer_policy, header(v))
    }),
    key("gateway.hsts", |c, v| {
        put(&mut c.gateway.security.hsts, hsts(v))
    }),
    key("gateway.max_uri_bytes", |c, v| {
        put(&mut c.gateway.max_uri_bytes, values::number(v, 1..=65_535))
    }),
    key("gateway.body_timeout", |c, v| {
        put(&mut c.gateway.body_timeout, values::positive(v))
    }),
    key("gateway.body_rate", |c, v| {
        put(&mut c.gateway.body_rate, bytes(v, 1, u64::MAX))
    }),
    key("gateway.write_timeout", |c, v| {
        put(&mut c.gateway.write_timeout, values::positive(v))
    }),
    key("gateway.max_connections_per_address", |c, v| {
        put(
            &mut c.gateway.max_connections_per_address,
            values::number(v, 1..=1_000_000),
        )
    }),
    key("gateway.trusted_proxies", |c, v| {
        put(
            &mut c.gateway.trusted_proxies,
            values::list_of(v, values::network),
        )
    }),
    key("gateway.proxy_protocol", |c, v| {
        put(
            &mut c.gateway.proxy_protocol,
            values::word(v, &PROXY_PROTOCOL),
        )
    }),
    key("tls.listen", |c, v| {
        put(&mut c.tls.listen, values::address(v))
    }),
    key("tls.cert", |c, v| put(&mut c.tls.cert, files(v))),
    key("tls.key", |c, v| put(&mut c.tls.key, files(v))),
    key("tls.client_ca", |c, v| {
        put(&mut c.tls.client_ca, Ok(non_empty(v).map(PathBuf::from)))
    }),
    key("tls.client_auth", |c, v| {
        put(
            &mut c.tls.client_auth,
            values::word(v, &CLIENT_AUTH).map(Some),
        )
    }),
    key("tls.client_scopes", |c, v| {
        put(&mut c.tls.client_scopes, values::words_by_name(v))
    }),
    key("tls.handshake_timeout", |c, v| {
        put(&mut c.tls.handshake_timeout, values::positive(v))
    }),
    key("gateway.cache_bytes", |c, v| {
        put(&mut c.gateway.cache_bytes, values::size(v))
    }),
    key("engine.instances", |c, v| {
        put(&mut c.engine.instances, values::number(v, 1..=100_000))
    }),
    key("engine.max_memory", |c, v| {
        put(&mut c.engine.max_memory, bytes(v, 64 << 10, MEMORY_END))
    }),
    key("engine.max_component", |c, v| {
        put(&mut c.engine.max_component, bytes(v, 1, u64::MAX))
    }),
    key("engine.epoch", |c, v| {
        put(&mut c.engine.epoch, values::positive(v))
    }),
    key("keep.revisions", |c, v| {
        put(&mut c.keep.revisions, values::number(v, 1..=1000))
    }),
    key("keep.uploads", |c, v| {
        put(&mut c.keep.uploads, values::positive(v))
    }),
    key("keep.answers", |c, v| {
        put(&mut c.keep.answers, bytes(v, 1 << 20, u64::MAX))
    }),
    // A list of tables, which a text can't be.
    key("jwt.issuers", |_, _| {
        Err("expected it in the file of settings, as tables under [[jwt.issuers]]".to_owned())
    }),
    key("jwt.development", |c, v| {
        put(&mut c.jwt.development, values::word(v, &DEVELOPMENT))
    }),
    key("outbound.ca", |c, v| {
        put(&mut c.outbound_ca, path(v).map(Some))
    }),
    key("log.level", |c, v| put(&mut c.log.level, level(v))),
    key("log.format", |c, v| {
        put(&mut c.log.format, values::word(v, &FORMATS))
    }),
    key("log.access", |c, v| {
        put(&mut c.log.access, values::word(v, &ACCESS))
    }),
];

fn bytes(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let size = values::size(text)?;
    if (least..=most).contains(&size) {
        Ok(size)
    } else {
        Err(format!("expected {least} to {most} bytes, found {text:?}"))
    }
}

fn header_bytes(text: &str) -> Result<usize, String> {
    // Less than hyper's buffer would be no bound for HTTP/1.
    let size = bytes(text, 8 << 10, 16 << 20)?;
    Ok(usize::try_from(size).expect("16 MiB fit into any address space"))
}

/// A host's name, without a port.
fn host_name(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    match text.bytes().all(legal) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "expected a name without a port, such as stoa.internal, found {text:?}"
        )),
    }
}

fn non_empty(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn files(text: &str) -> Result<Vec<PathBuf>, String> {
    values::list_of(text, |path| Ok(path.into()))
}

/// `off`, or what one address may send.
fn rate(text: &str) -> Result<Option<Rate>, String> {
    if text == "off" {
        return Ok(None);
    }
    let (limit, per) = values::rate(text)?;
    let rate = Rate::new(limit, per)?;
    Ok(Some(Rate {
        by: By::Address,
        ..rate
    }))
}

/// `off`, or a header's value.
fn header(text: &str) -> Result<Option<String>, String> {
    if text == "off" {
        return Ok(None);
    }
    match http::HeaderValue::from_str(text) {
        Ok(value) if !value.is_empty() => Ok(Some(text.to_owned())),
        _ => Err(format!(
            "expected \"off\" or the value of a header, found {text:?}"
        )),
    }
}

/// `off`, or how long browsers are to insist on TLS.
fn hsts(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    values::duration(text).map(Some)
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("expected the path of a directory, found nothing".into());
    }
    Ok(text.into())
}

fn level(text: &str) -> Result<String, String> {
    let directives = tracing_subscriber::EnvFilter::builder().parse(text);
    directives.map(|_| text.to_owned()).map_err(|fault| {
        format!(
            "expected a level or directives such as \"info,stoa=debug\", found {text:?}: {fault}"
        )
    })
}
