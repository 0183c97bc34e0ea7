//! A small HTTP client: one connection, HTTP/1.1 with keep-alive or HTTP/2 by
//! prior knowledge.
//!
//! A request that fails is an error, never tried again: a test must see it. The
//! one exception is a connection that the host closed while it was idle, which
//! HTTP/1.1 allows: then nothing was sent yet, and [`Client::reconnects`] counts it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::tls::Dialer;

/// How long any answer may take: longer, and the test says so instead of hanging.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A request's body: bytes, or a stream of them.
pub type Body = BoxBody<Bytes, std::io::Error>;

/// One connection, opened when it is first used.
pub struct Client {
    address: SocketAddr,
    protocol: Protocol,
    tls: Option<Dialer>,
    sender: Option<Sender>,
    reconnects: u64,
    token: Option<String>,
}

/// Which HTTP a [`Client`] speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 with keep-alive.
    Http1,
    /// HTTP/2 by prior knowledge.
    Http2,
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, to the end.
    pub body: Bytes,
}

// === impl Client ===

impl Client {
    /// An HTTP/1.1 client.
    pub fn http1(address: SocketAddr) -> Self {
        Self::new(address, Protocol::Http1)
    }

    /// An HTTP/2 client.
    pub fn http2(address: SocketAddr) -> Self {
        Self::new(address, Protocol::Http2)
    }

    /// A client that speaks `protocol`.
    pub fn new(address: SocketAddr, protocol: Protocol) -> Self {
        Self {
            address,
            protocol,
            tls: None,
            sender: None,
            reconnects: 0,
            token: None,
        }
    }

    /// The same over TLS.
    #[must_use]
    pub fn over_tls(self, dialer: &Dialer) -> Self {
        Self {
            tls: Some(dialer.clone()),
            ..self
        }
    }

    /// The same with a bearer token in each request that has none.
    #[must_use]
    pub fn bearer(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// How often an idle connection had to be opened again.
    pub fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When no whole response comes.
    pub async fn get(&mut self, path: &str) -> Result<Answer> {
        self.send(Request::get(path).body(empty())?).await
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// When no whole response comes.
    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Answer> {
        self.send(json_request(Method::POST, path, body)?).await
    }

    /// Sends a request, reads the whole response.
    ///
    /// # Errors
    /// When no whole response comes.
    pub async fn send(&mut self, request: Request<Body>) -> Result<Answer> {
        let shown = format!("{} {}", request.method(), request.uri());
        let whole = async {
            let (head, body) = self.stream(request).await?.into_parts();
            let body = body
                .collect()
                .await
                .with_context(|| format!("the body of a {} broke off", head.status))?;
            anyhow::Ok(Answer {
                status: head.status,
                headers: head.headers,
                body: body.to_bytes(),
            })
        };
        timeout(PATIENCE, whole)
            .await
            .with_context(|| format!("{shown}: no whole response"))?
            .context(shown)
    }

    /// Sends a request; the response's body is still to be read.
    ///
    /// # Errors
    /// When no response begins.
    pub async fn stream(&mut self, request: Request<Body>) -> Result<Response<Incoming>> {
        let request = self.addressed(request)?;
        let sender = self.ready().await?;
        let response = match sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => sender.send_request(request).await,
        };
        response.context("no response")
    }

    /// Completes what a test need not say: HTTP/1.1 wants a `Host`, HTTP/2 an authority.
    fn addressed(&self, request: Request<Body>) -> Result<Request<Body>> {
        let (mut head, body) = request.into_parts();
        if let Some(token) = &self.token {
            head.headers
                .entry(http::header::AUTHORIZATION)
                .or_insert(format!("Bearer {token}").parse()?);
        }
        match self.protocol {
            Protocol::Http1 => {
                head.headers
                    .entry(http::header::HOST)
                    .or_insert(self.address.to_string().parse()?);
            }
            Protocol::Http2 => {
                let authority = match head.headers.remove(http::header::HOST) {
                    Some(host) => host.to_str()?.to_owned(),
                    None => self.address.to_string(),
                };
                let path = head
                    .uri
                    .path_and_query()
                    .map_or("/", |path| path.as_str())
                    .to_owned();
                head.uri = http::Uri::builder()
                    .scheme(if self.tls.is_some() { "https" } else { "http" })
                    .authority(authority)
                    .path_and_query(path)
                    .build()?;
            }
        }
        Ok(Request::from_parts(head, body))
    }

    async fn ready(&mut self) -> Result<&mut Sender> {
        let open = match &mut self.sender {
            Some(Sender::Http1(sender)) => sender.ready().await.is_ok(),
            Some(Sender::Http2(sender)) => sender.ready().await.is_ok(),
            None => false,
        };
        if !open {
            self.reconnects += u64::from(self.sender.is_some());
            self.sender = Some(self.connect().await?);
        }
        self.sender.as_mut().context("a connection was just opened")
    }

    async fn connect(&self) -> Result<Sender> {
        if let Some(dialer) = &self.tls {
            let offer = match self.protocol {
                Protocol::Http1 => "http/1.1",
                Protocol::Http2 => "h2",
            };
            let stream = dialer.dial(self.address, &[offer]).await?;
            ensure!(stream.get_ref().1.alpn_protocol() == Some(offer.as_bytes()));
            return self.begin(TokioIo::new(stream)).await;
        }
        let stream = TcpStream::connect(self.address)
            .await
            .with_context(|| format!("connecting to {}", self.address))?;
        stream.set_nodelay(true)?;
        self.begin(TokioIo::new(stream)).await
    }

    async fn begin<S>(&self, io: S) -> Result<Sender>
    where
        S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    {
        Ok(match self.protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await?;
                // Its errors reach the sender of the request that they end.
                tokio::spawn(connection);
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        })
    }
}

// === impl Answer ===

impl Answer {
    /// The body as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("expected JSON, found {} {:?}", self.status, self.text()))
    }

    /// A header's value.
    ///
    /// # Errors
    /// When it is not there, or is no text.
    pub fn header(&self, name: &str) -> Result<&str> {
        let value = self
            .headers
            .get(name)
            .with_context(|| format!("expected the header {name}, found {:?}", self.headers))?;
        Ok(value.to_str()?)
    }

    /// The same answer, if it has this status.
    ///
    /// # Errors
    /// When it has another.
    pub fn expect(self, status: u16) -> Result<Self> {
        ensure!(
            self.status.as_u16() == status,
            "expected {status}, found {}: {:?}",
            self.status,
            self.text()
        );
        Ok(self)
    }

    /// An RFC 9457 problem of this status, as JSON.
    ///
    /// # Errors
    /// When it is something else.
    pub fn problem(&self, status: u16) -> Result<Value> {
        let answer = self.clone().expect(status)?;
        let kind = answer.header("content-type")?;
        ensure!(
            kind == "application/problem+json",
            "expected a problem, found {kind}: {:?}",
            self.text()
        );
        let problem = answer.json()?;
        if problem["status"] != status {
            bail!("expected a problem with the status {status} in it, found {problem}");
        }
        Ok(problem)
    }
}

/// One request over a connection of its own.
///
/// # Errors
/// When no whole response comes.
pub async fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    Client::http1(address).get(path).await
}

/// One JSON request over a connection of its own.
///
/// # Errors
/// When no whole response comes.
pub async fn post(address: SocketAddr, path: &str, body: &Value) -> Result<Answer> {
    Client::http1(address).post(path, body).await
}

/// A request with a JSON body.
///
/// # Errors
/// When `path` is no path.
pub fn json_request(method: Method, path: &str, body: &Value) -> Result<Request<Body>> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    Ok(request.body(full(body.to_string()))?)
}

/// No body.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// A body of these bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}
