//! The PROXY protocol, versions 1 and 2: a header before a connection's first byte.

use std::io;
use std::net::SocketAddr;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes that both versions have at least.
const LEAST: usize = 12;
/// Bytes of a header of version 1 at most, by its specification.
const LONGEST_V1: usize = 107;
/// Bytes of version 2's fixed part.
const FIXED_V2: usize = 16;
/// Bytes that follow version 2's fixed part at most: addresses, and the extensions
/// that load balancers send.
const LONGEST_V2: usize = 4096;

/// Reads a header, and not a byte more. `None` if it tells of no client, as those of
/// a proxy's own health checks do.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut header = vec![0; LEAST];
    stream.read_exact(&mut header).await?;
    if header.starts_with(v2::PROTOCOL_PREFIX) {
        read_v2(stream, header).await
    } else {
        read_v1(stream, header).await
    }
}

async fn read_v2(
    stream: &mut (impl AsyncRead + Unpin),
    mut header: Vec<u8>,
) -> io::Result<Option<SocketAddr>> {
    header.resize(FIXED_V2, 0);
    stream.read_exact(&mut header[LEAST..]).await?;
    let length = usize::from(u16::from_be_bytes([header[14], header[15]]));
    if length > LONGEST_V2 {
        return Err(invalid(format!(
            "found {length} bytes, more than {LONGEST_V2}"
        )));
    }
    header.resize(FIXED_V2 + length, 0);
    stream.read_exact(&mut header[FIXED_V2..]).await?;
    let header = v2::Header::try_from(&header[..]).map_err(invalid)?;
    if header.command == v2::Command::Local {
        return Ok(None);
    }
    Ok(match header.addresses {
        v2::Addresses::IPv4(of) => Some((of.source_address, of.source_port).into()),
        v2::Addresses::IPv6(of) => Some((of.source_address, of.source_port).into()),
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
    })
}

async fn read_v1(
    stream: &mut (impl AsyncRead + Unpin),
    mut header: Vec<u8>,
) -> io::Result<Option<SocketAddr>> {
    if !header.starts_with(b"PROXY ") {
        return Err(invalid("found something else"));
    }
    while !header.ends_with(b"\r\n") {
        if header.len() >= LONGEST_V1 {
            return Err(invalid(format!("found no end within {LONGEST_V1} bytes")));
        }
        header.push(stream.read_u8().await?);
    }
    let header = v1::Header::try_from(&header[..]).map_err(invalid)?;
    Ok(match header.addresses {
        v1::Addresses::Tcp4(of) => Some((of.source_address, of.source_port).into()),
        v1::Addresses::Tcp6(of) => Some((of.source_address, of.source_port).into()),
        v1::Addresses::Unknown => None,
    })
}

fn invalid(fault: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(header: &[u8]) -> io::Result<Option<String>> {
        let bytes = [header, b"GET"].concat();
        let mut rest = &bytes[..];
        let told = read(&mut rest).await?;
        assert_eq!(rest, b"GET", "nothing more is read");
        Ok(told.map(|address| address.to_string()))
    }

    fn version_2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [
            v2::PROTOCOL_PREFIX,
            &[0x20 | command, family],
            &length,
            payload,
        ]
        .concat()
    }

    #[tokio::test]
    async fn both_versions_tell_the_client() {
        let four = [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x67, 0, 80];
        let header = version_2(1, 0x11, &four);
        assert_eq!(told(&header).await.unwrap().unwrap(), "192.0.2.1:4711");
        let with_extension = [&four[..], &[4, 0, 1, 42]].concat();
        let header = version_2(1, 0x11, &with_extension);
        assert_eq!(told(&header).await.unwrap().unwrap(), "192.0.2.1:4711");
        assert_eq!(told(&version_2(0, 0x00, &[])).await.unwrap(), None);
        let one = b"PROXY TCP6 2001:db8::7 ::1 4711 443\r\n";
        assert_eq!(told(one).await.unwrap().unwrap(), "[2001:db8::7]:4711");
        assert_eq!(told(b"PROXY UNKNOWN\r\n").await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        for header in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 a b 1 2\r\n",
            &[b"PROXY TCP4 ", &[b'1'; 200][..], b"\r\n"].concat(),
            &version_2(1, 0x11, &[1, 2, 3]),
            &version_2(1, 0x11, &[0; 5000]),
            &version_2(7, 0x11, &[0; 12]),
            &v2::PROTOCOL_PREFIX[..5],
        ] {
            let bytes = header.to_vec();
            assert!(read(&mut &bytes[..]).await.is_err(), "{header:?}");
        }
    }
}
