//! HTTP servers that are no components, well-behaved and not: what the host sends
//! requests to.
//!
//! They speak HTTP/1.1 by hand, so that they can break it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::tls::Identity;

/// What an origin does with a request.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Answers 200; the body is the request as it was received.
    Echo,
    /// Answers with this, whatever it is.
    Raw(String),
    /// Begins an answer with this head, and sends one event after the other without
    /// end.
    Events(String),
    /// Agrees to a WebSocket, and sends back each byte that comes.
    WebSocket,
    /// Reads the request and never answers.
    Silent,
    /// Closes the connection after it has read the request.
    Close,
    /// Closes the connection after it has read the head of the request.
    Leave,
}

/// A server on a loopback port. It ends when it is dropped.
pub struct Origin {
    /// Where it listens.
    pub address: SocketAddr,
    requests: Arc<AtomicUsize>,
    last: Arc<Mutex<String>>,
    task: JoinHandle<()>,
}

impl Origin {
    /// Starts a server that tells its `name` in the header `x-origin`.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(name: &str, behaviour: Behaviour) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Self::on(listener, name, behaviour)
    }

    /// The same, on a listener that is there.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn on(listener: TcpListener, name: &str, behaviour: Behaviour) -> Result<Self> {
        Self::serve(listener, name, behaviour, None)
    }

    /// A server that speaks TLS, with this certificate.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn over_tls(name: &str, behaviour: Behaviour, identity: &Identity) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Self::serve(listener, name, behaviour, Some(identity.acceptor()?))
    }

    fn serve(
        listener: TcpListener,
        name: &str,
        behaviour: Behaviour,
        tls: Option<TlsAcceptor>,
    ) -> Result<Self> {
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicUsize::new(0));
        let last = Arc::new(Mutex::new(String::new()));
        let server = Server {
            name: name.to_owned(),
            behaviour,
            requests: requests.clone(),
            last: last.clone(),
        };
        let task = tokio::spawn(async move {
            // Connections end with the server.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                match tls.clone() {
                    None => connections.spawn(server.serve(stream)),
                    Some(tls) => connections.spawn(async move {
                        // A client that does not believe the certificate goes away.
                        if let Ok(stream) = tls.accept(stream).await {
                            server.serve(stream).await;
                        }
                    }),
                };
            }
        });
        Ok(Self {
            address,
            requests,
            last,
            task,
        })
    }

    /// `http://ADDR:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests that it has read.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// The last request that it has read, as it came.
    pub fn last(&self) -> String {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Ends it with all its connections; its port refuses from then on.
    pub async fn stop(mut self) -> SocketAddr {
        self.task.abort();
        // Cancelled, which is what was asked for.
        let _ = (&mut self.task).await;
        self.address
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Server {
    name: String,
    behaviour: Behaviour,
    requests: Arc<AtomicUsize>,
    last: Arc<Mutex<String>>,
}

impl Server {
    async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut received = Vec::new();
        if matches!(self.behaviour, Behaviour::Leave) {
            return head(&mut stream).await;
        }
        while let Some(request) = request(&mut stream, &mut received).await {
            self.requests.fetch_add(1, Ordering::SeqCst);
            self.last
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone_from(&request);
            let answer = match &self.behaviour {
                Behaviour::Echo => format!(
                    "HTTP/1.1 200 OK\r\nx-origin: {}\r\nkeep-alive: timeout=5\r\ncontent-length: {}\r\n\r\n{request}",
                    self.name,
                    request.len()
                ),
                Behaviour::Raw(answer) | Behaviour::Events(answer) => answer.clone(),
                Behaviour::WebSocket => self.agreement(&request),
                Behaviour::Silent => std::future::pending().await,
                Behaviour::Close | Behaviour::Leave => return,
            };
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            match self.behaviour {
                Behaviour::Raw(_) => return,
                Behaviour::Events(_) => return events(stream).await,
                Behaviour::WebSocket => return echo(stream, received).await,
                _ => {}
            }
        }
    }
}

impl Server {
    /// RFC 6455, section 4.2.2; of the protocols that are offered it speaks `chat`.
    fn agreement(&self, request: &str) -> String {
        let mut headers = request.lines().filter_map(|line| line.split_once(": "));
        let key = headers.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
        let text = format!(
            "{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
            key.map_or("", |(_, key)| key)
        );
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nx-origin: {}\r\nupgrade: websocket\r\n\
             connection: Upgrade\r\nsec-websocket-protocol: chat\r\nsec-websocket-accept: {}\r\n\r\n",
            self.name,
            STANDARD.encode(digest)
        )
    }
}

/// Sends back what has come and what comes, until there is no more.
async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin, mut received: Vec<u8>) {
    while stream.write_all(&received).await.is_ok() && stream.flush().await.is_ok() {
        received.clear();
        if !matches!(stream.read_buf(&mut received).await, Ok(1..)) {
            return;
        }
    }
}

/// Sends events for as long as somebody takes them, often enough that none of them
/// is waited for.
async fn events(mut stream: impl AsyncWrite + Unpin) {
    let mut beats = tokio::time::interval(Duration::from_millis(20));
    while stream.write_all(b"8\r\ndata:1\n\n\r\n").await.is_ok() {
        beats.tick().await;
    }
}

/// Reads up to the end of a head.
async fn head(stream: &mut (impl AsyncRead + Unpin)) {
    let mut received = Vec::new();
    while !received.windows(4).any(|part| part == b"\r\n\r\n")
        && stream
            .read_buf(&mut received)
            .await
            .is_ok_and(|read| read > 0)
    {}
}

/// The next request with its body; none at the connection's end.
async fn request(stream: &mut (impl AsyncRead + Unpin), received: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(received).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let whole = end + 4 + content_length(&text[..end]);
            let chunked = text[..end].to_ascii_lowercase().contains("chunked");
            let last = chunked.then(|| text.find("\r\n0\r\n\r\n").map(|at| at + 7));
            match last {
                Some(Some(whole)) => return Some(take(received, whole)),
                None if received.len() >= whole => return Some(take(received, whole)),
                _ => {}
            }
        }
        if stream.read_buf(received).await.ok()? == 0 {
            return None;
        }
    }
}

fn take(received: &mut Vec<u8>, length: usize) -> String {
    let request: Vec<u8> = received.drain(..length).collect();
    String::from_utf8_lossy(&request).into_owned()
}

fn content_length(head: &str) -> usize {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}
