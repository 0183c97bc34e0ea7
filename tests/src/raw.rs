//! Bytes on a socket, for what no HTTP client would send.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::PATIENCE;

/// Sends `bytes`, then reads until the host closes the connection.
///
/// # Errors
/// When the host can't be reached, or does not close the connection in time.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(bytes).await?;
    rest(&mut stream).await
}

/// Sends the beginning of something, and keeps the connection.
///
/// # Errors
/// When the host can't be reached.
pub async fn begin(address: SocketAddr, bytes: &[u8]) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(bytes).await?;
    Ok(stream)
}

/// Reads until the host closes the connection. A reset ends it too: a host that
/// refuses a request need not read what is left of it.
///
/// # Errors
/// When the host does not close the connection in time.
pub async fn rest(stream: &mut TcpStream) -> Result<String> {
    let mut received = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut received)).await;
    let text = String::from_utf8_lossy(&received).into_owned();
    match read.with_context(|| format!("the connection stays open after {text:?}"))? {
        Ok(_) => Ok(text),
        Err(fault) if fault.kind() == std::io::ErrorKind::ConnectionReset => Ok(text),
        Err(fault) => Err(fault).with_context(|| format!("after {text:?}")),
    }
}

/// Reads until what has come ends with `last`.
///
/// # Errors
/// When the connection ends before, or it does not come in time.
pub async fn until(stream: &mut TcpStream, last: &str) -> Result<String> {
    let mut received = Vec::new();
    while !received.ends_with(last.as_bytes()) {
        let text = || String::from_utf8_lossy(&received).into_owned();
        let byte = timeout(PATIENCE, stream.read_u8()).await;
        let byte = byte.with_context(|| format!("{last:?} does not come after {:?}", text()))?;
        let byte = byte.with_context(|| format!("the end comes after {:?}", text()))?;
        received.push(byte);
    }
    Ok(String::from_utf8(received)?)
}

/// The status of each response in what a connection carried.
pub fn statuses(received: &str) -> Vec<u16> {
    let lines = received
        .split("\r\n")
        .filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    lines
        .filter_map(|line| line.split(' ').next()?.parse().ok())
        .collect()
}
