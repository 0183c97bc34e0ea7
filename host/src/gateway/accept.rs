//! The accept loop. No error ends it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::Gateway;
use super::client::Client;
use super::connection;
use crate::shutdown::Drain;

/// Pause after an error of the system, such as too many open files: connections
/// that end meanwhile make room.
const BACKOFF: Duration = Duration::from_millis(50);

/// Serves connections from `listener` until the drain begins; then stops
/// accepting. Connections hold the drain open until they have ended.
pub async fn serve(gateway: Arc<Gateway>, listener: TcpListener, drain: Drain) {
    let room = Arc::new(Semaphore::new(gateway.settings.max_connections));
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
                    after_error(&error).await;
                    continue;
                }
            },
            () = drain.begun() => return,
        };
        let gateway = gateway.clone();
        let drain = drain.clone();
        tokio::spawn(async move {
            prepare(&stream);
            connection::serve(gateway, stream, Client::new(peer), drain).await;
            drop(permit);
        });
    }
}

/// Answers are small and must leave at once.
fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
}

async fn after_error(error: &io::Error) {
    if is_of_the_connection(error) {
        tracing::debug!(%error, "a client went away before its connection was accepted");
        return;
    }
    tracing::warn!(%error, "accepting connections failed; trying again");
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
