//! The gateway's connections: within the limits, and through whatever stands between one
//! and HTTP.

mod tls;

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;

use super::Gateway;
use super::connection;
use stoa_http::aside::aside;
use stoa_http::listener::Listener;
use stoa_http::shutdown::Drain;
pub use tls::Tls;

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
    let mut listener = Listener::new(listener);
    loop {
        // A connection beyond the limit waits in the system's queue.
        let permit = tokio::select! {
            permit = room.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            () = drain.begun() => return,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = drain.begun() => return,
        };
        let gateway = gateway.clone();
        let transport = transport.clone();
        let drain = drain.clone();
        tokio::spawn(async move {
            let accepted = Accepted {
                stream,
                peer,
                permit,
            };
            if let Err(refused) = carry(&gateway, transport, accepted, drain).await {
                gateway.metrics.rejected(refused.reason).inc();
                tracing::debug!(client.ip = %peer.ip(), "{}", refused.fault);
            }
        });
    }
}

/// Why a connection carries no HTTP.
struct Refused {
    /// As metrics name it.
    reason: &'static str,
    fault: String,
}

/// A connection that was taken.
struct Accepted {
    stream: TcpStream,
    peer: std::net::SocketAddr,
    /// For as long as it lasts.
    permit: OwnedSemaphorePermit,
}

/// Serves a connection, whatever stands between it and HTTP.
async fn carry(
    gateway: &Arc<Gateway>,
    transport: Transport,
    accepted: Accepted,
    drain: Drain,
) -> Result<(), Refused> {
    let Accepted {
        mut stream,
        peer,
        permit,
    } = accepted;
    let refused = |reason, fault: &dyn std::error::Error| Refused {
        reason,
        fault: fault.to_string(),
    };
    let introduced = gateway.proxies.introduced(&mut stream, peer).await;
    let client = introduced.map_err(|fault| refused("proxy_protocol", &fault))?;
    let seat = match gateway.proxies.trusts(client.address()) {
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
    let held = (permit, seat);
    match transport {
        Transport::Plain => connection::serve(gateway.clone(), (stream, held), client, drain).await,
        Transport::Tls(tls) => {
            let begun = tls.handshake(stream).await;
            let (stream, certificate) = begun.map_err(|fault| refused("tls_handshake", &fault))?;
            let client = client.secured(certificate);
            aside(|| connection::serve(gateway.clone(), (stream, held), client, drain)).await;
        }
    }
    Ok(())
}
