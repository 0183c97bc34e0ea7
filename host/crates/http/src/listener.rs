//! Accepting connections. No error ends it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};

/// Pause after an error of the system, such as too many open files: connections
/// that end meanwhile make room.
const BACKOFF: Duration = Duration::from_millis(50);
/// An error that lasts is told once in this time.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// A socket that listens.
pub struct Listener {
    socket: TcpListener,
    told: Option<Instant>,
}

impl Listener {
    /// One that accepts from this socket.
    pub fn new(socket: TcpListener) -> Self {
        Self { socket, told: None }
    }

    /// The next connection and its other end. Waits for as long as there is none.
    pub async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    prepare(&stream);
                    return (stream, peer);
                }
                Err(error) => self.after(&error).await,
            }
        }
    }

    async fn after(&mut self, error: &io::Error) {
        if is_of_the_connection(error) {
            tracing::debug!(%error, "a client went away before its connection was accepted");
            return;
        }
        if self.told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
            tracing::warn!(%error, "accepting connections failed; trying again until it works");
            self.told = Some(Instant::now());
        }
        tokio::time::sleep(BACKOFF).await;
    }
}

/// Answers are small and must leave at once.
fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
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
