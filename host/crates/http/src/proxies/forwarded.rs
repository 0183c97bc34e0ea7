//! What proxies say in headers: `Forwarded`, RFC 7239, and `X-Forwarded-…`.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderValue};

use crate::client::ForwardedClient;

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";
const HOST: &str = "x-forwarded-host";

/// The client by `X-Forwarded-For`; scheme and host as the nearest proxy tells them.
/// `None` without any of these headers.
pub(super) fn common(
    headers: &HeaderMap,
    peer: IpAddr,
    trusts: impl Fn(IpAddr) -> bool,
) -> Option<ForwardedClient> {
    if ![FOR, PROTO, HOST]
        .iter()
        .any(|name| headers.contains_key(*name))
    {
        return None;
    }
    // No quotes here: one of a client's must not hide what a proxy adds to its line.
    let lines = headers.get_all(FOR).iter();
    let entries: Vec<_> = lines
        .flat_map(|line| line.to_str().unwrap_or("?").split(','))
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .collect();
    let mut from = headers.contains_key(FOR).then_some(peer);
    for entry in entries.iter().rev().map_while(|entry| address(entry)) {
        from = Some(entry);
        if !trusts(entry) {
            break;
        }
    }
    let last = |name| elements(headers, name).pop();
    Some(ForwardedClient {
        address: from,
        secure: last(PROTO).and_then(|proto| secure(&proto)),
        host: last(HOST),
    })
}

/// The client by `Forwarded`, with what is said of it in the same element. `None`
/// without the header.
///
/// # Errors
///
/// When a client could have hidden what its proxy added.
pub(super) fn standard(
    headers: &HeaderMap,
    peer: IpAddr,
    trusts: impl Fn(IpAddr) -> bool,
) -> Result<Option<ForwardedClient>, &'static str> {
    if !headers.contains_key(FORWARDED) {
        return Ok(None);
    }
    if headers.get_all(FORWARDED).iter().any(is_unbalanced) {
        return Err("the Forwarded header has a quote without its end");
    }
    let mut told: Option<ForwardedClient> = None;
    for element in elements(headers, FORWARDED.as_str()).iter().rev() {
        let Some(next) = element_of(element) else {
            break;
        };
        let Some(from) = next.address else {
            // Nobody vouches for what stands further left.
            let nearer = told.unwrap_or_default();
            return Ok(Some(ForwardedClient {
                address: nearer.address,
                secure: next.secure.or(nearer.secure),
                host: next.host.or(nearer.host),
            }));
        };
        told = Some(next);
        if !trusts(from) {
            break;
        }
    }
    let unread = || ForwardedClient {
        address: Some(peer),
        ..ForwardedClient::default()
    };
    Ok(Some(told.unwrap_or_else(unread)))
}

/// The client by both kinds of headers.
///
/// # Errors
///
/// When they name different clients.
pub(super) fn both(
    standard: ForwardedClient,
    common: ForwardedClient,
) -> Result<ForwardedClient, &'static str> {
    let address = match (standard.address, common.address) {
        // What stands beside an address is believed before what stands beside none.
        (Some(_), None) => return Ok(standard),
        (Some(one), Some(other)) if one != other => {
            return Err("the headers Forwarded and X-Forwarded-For name different clients");
        }
        (_, address) => address,
    };
    // The kind that the proxy does not write is the client's own word.
    Ok(ForwardedClient {
        address,
        secure: standard.secure.filter(|_| standard.secure == common.secure),
        host: standard
            .host
            .filter(|host| Some(host) == common.host.as_ref()),
    })
}

/// Whether a quoted string has no end: then what a proxy adds is a part of it.
fn is_unbalanced(line: &HeaderValue) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for byte in line.as_bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    quoted
}

/// The elements of a header that is a list, over all its lines. Commas in quotes
/// divide nothing. A line that is no text ends what can be believed: it stands as an
/// element that is no address.
fn elements(headers: &HeaderMap, name: &str) -> Vec<String> {
    let lines = headers.get_all(name).iter();
    lines
        .flat_map(|line| split(line.to_str().unwrap_or("?"), ','))
        .filter(|element| !element.is_empty())
        .collect()
}

/// `for=192.0.2.1;proto=https;host=shop.example`, each of which may be missing.
fn element_of(element: &str) -> Option<ForwardedClient> {
    let mut told = ForwardedClient::default();
    for pair in split(element, ';') {
        let (name, value) = pair.split_once('=')?;
        let value = unquoted(value)?;
        match name.trim().to_ascii_lowercase().as_str() {
            "for" if is_hidden(&value) => told.address = None,
            "for" => told.address = Some(address(&value)?),
            "proto" => told.secure = secure(&value),
            "host" => told.host = Some(value),
            _ => {}
        }
    }
    Some(told)
}

/// Whether a node is one that its proxy does not tell, RFC 7239 sections 6.2 and 6.3:
/// `unknown` or `_name`, with or without a port.
fn is_hidden(node: &str) -> bool {
    let name = node.split_once(':').map_or(node, |(name, _)| name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let obfuscated = |rest: &str| !rest.is_empty() && rest.bytes().all(plain);
    name.eq_ignore_ascii_case("unknown") || name.strip_prefix('_').is_some_and(obfuscated)
}

/// Parts between separators that stand in no quotes.
fn split(text: &str, separator: char) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut quoted, mut escaped) = (false, false);
    for character in text.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        if character == separator && !quoted {
            parts.push(std::mem::take(&mut part).trim().to_owned());
        } else {
            part.push(character);
        }
    }
    parts.push(part.trim().to_owned());
    parts
}

/// A token, or what a quoted string stands for, RFC 9110 section 5.6.4.
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else {
        return Some(value.to_owned());
    };
    let mut text = String::new();
    let mut characters = rest.strip_suffix('"')?.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '\\' => characters.next()?,
            other => other,
        });
    }
    Some(text)
}

/// An address with or without a port.
fn address(node: &str) -> Option<IpAddr> {
    let address = node
        .parse::<IpAddr>()
        .or_else(|_| node.parse::<SocketAddr>().map(|socket| socket.ip()))
        .or_else(|_| node.trim_start_matches('[').trim_end_matches(']').parse());
    address.ok().map(|address| address.to_canonical())
}

fn secure(proto: &str) -> Option<bool> {
    match proto.to_ascii_lowercase().as_str() {
        "https" => Some(true),
        "http" => Some(false),
        _ => None,
    }
}
