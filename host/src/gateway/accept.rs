//! The accept loop. No error ends it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};

use super::Gateway;
use super::connection;
use super::tls::Tls;
use crate::aside::aside;
use crate::shutdown::Drain;

/// Pause after an error of the system, such as too many open files: connections
/// that end meanwhile make room.
const BACKOFF: Duration = Duration::from_millis(50);
/// An error that lasts is told once in this time.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// What the connections of a listener carry HTTP in.
#[derive(Clone)]
pub enum Transport {
    /// Nothing else.
    Plain,
    /// TLS.
    Tls(Arc<Tls>),
}

/// Serves connections from `listener` until the drain begins; then stops
/// accepting. Connections hold the drain open until they have ended.
pub async fn serve(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    transport: Transport,
    drain: Drain,
) {
    let room = gateway.room.clone();
    let mut told = None;
    loop {
        // A connection beyond the limit waits in the system's queue.
        let permit = tokio::select! {
            permit = room.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            () = drain.begun() => return,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    after_error(&error, &mut told).await;
                    continue;
                }
            },
            () = drain.begun() => return,
        };
        prepare(&stream);
        let gateway = gateway.clone();
        let transport = transport.clone();
        let drain = drain.clone();
        tokio::spawn(async move {
            if let Err(refused) = carry(&gateway, transport, stream, peer, drain).await {
                gateway.metrics.rejected(refused.reason).inc();
                tracing::debug!(client.ip = %peer.ip(), "{}", refused.fault);
            }
            drop(permit);
        });
    }
}

/// Why a connection carries no HTTP.
struct Refused {
    /// As metrics name it.
    reason: &'static str,
    fault: String,
}

/// Serves a connection, whatever stands between it and HTTP.
async fn carry(
    gateway: &Arc<Gateway>,
    transport: Transport,
    mut stream: TcpStream,
    peer: std::net::SocketAddr,
    drain: Drain,
) -> Result<(), Refused> {
    let refused = |reason, fault: &dyn std::error::Error| Refused {
        reason,
        fault: fault.to_string(),
    };
    let introduced = gateway.proxies.introduced(&mut stream, peer).await;
    let client = introduced.map_err(|fault| refused("proxy_protocol", &fault))?;
    let _seat = match gateway.proxies.trusts(client.address()) {
        true => None,
        false => Some(
            gateway
                .peers
                .seat(client.address())
                .ok_or_else(|| Refused {
                    reason: "connections_of_address",
                    fault: "the address has as many connections as one may have".to_owned(),
                })?,
        ),
    };
    match transport {
        Transport::Plain => connection::serve(gateway.clone(), stream, client, drain).await,
        Transport::Tls(tls) => {
            let begun = tls.handshake(stream).await;
            let (stream, certificate) = begun.map_err(|fault| refused("tls_handshake", &fault))?;
            let client = client.secured(certificate);
            aside(|| connection::serve(gateway.clone(), stream, client, drain)).await;
        }
    }
    Ok(())
}

/// Answers are small and must leave at once.
fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
}

async fn after_error(error: &io::Error, told: &mut Option<Instant>) {
    if is_of_the_connection(error) {
        tracing::debug!(%error, "a client went away before its connection was accepted");
        return;
    }
    if told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
        tracing::warn!(%error, "accepting connections failed; trying again until it works");
        *told = Some(Instant::now());
    }
    tokio::time::sleep(BACKOFF).await;
}

/// Errors that `accept` passes on from the new connection, accept(2).
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
