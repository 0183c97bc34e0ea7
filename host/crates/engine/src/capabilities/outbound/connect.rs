//! A connection to an address that was checked.
//!
//! A name is resolved, each answer is judged, and the connection goes to one of
//! those addresses: no second answer of the resolver can put another in its place
//! (DNS rebinding).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::inside;
use stoa_settings::origin::{Host, Origin};

/// Time for one answer of the resolver; its own retries fit in.
const RESOLVE: Duration = Duration::from_secs(5);

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectFault {
    /// The URI has no origin.
    #[error("{0}")]
    Uri(String),
    /// The name has no address.
    #[error("{0} can't be resolved: {1}")]
    Resolve(String, io::Error),
    /// The resolver gives no answer.
    #[error("{0} was not resolved in time")]
    ResolveTimeout(String),
    /// Every address leads inside.
    #[error(
        "{origin} leads to {address}, which is {kind}: a name must lead to the open internet; declare what is inside \
         as an upstream, or grant its address"
    )]
    Inside {
        /// What was asked for.
        origin: String,
        /// Where it leads.
        address: IpAddr,
        /// What that is.
        kind: &'static str,
    },
    /// Nobody takes the connection.
    #[error("{0} can't be reached: {1}")]
    Connect(SocketAddr, io::Error),
}

/// Finds the addresses of a name.
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of `host`.
    fn resolve(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver.
pub struct System;

impl Resolve for System {
    fn resolve(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, port)).await?;
            Ok(found.collect())
        })
    }
}

/// Connects by the rules; for a client of hyper.
#[derive(Clone)]
pub struct Connector(Arc<dyn Resolve>);

impl Connector {
    /// A connector that resolves by `resolver`.
    pub fn new(resolver: impl Resolve) -> Self {
        Self(Arc::new(resolver))
    }

    /// The addresses that a connection to `origin` may go to.
    ///
    /// # Errors
    ///
    /// When it has none, or none that it may go to.
    pub async fn addresses(&self, origin: &Origin) -> Result<Vec<SocketAddr>, ConnectFault> {
        let name = match &origin.host {
            // The grant names it, so it is meant.
            Host::Address(address) => return Ok(vec![SocketAddr::new(*address, origin.port)]),
            Host::Name(name) => name,
        };
        let asked = timeout(RESOLVE, self.0.resolve(name.clone(), origin.port)).await;
        let found = asked
            .map_err(|_| ConnectFault::ResolveTimeout(name.clone()))?
            .map_err(|fault| ConnectFault::Resolve(name.clone(), fault))?;
        let (mut allowed, mut refused) = (Vec::new(), None);
        for address in found {
            let kind = inside(address.ip());
            let allow = if origin.is_literal() {
                address.ip().is_loopback()
            } else {
                kind.is_none()
            };
            if allow {
                allowed.push(address);
            } else {
                refused = Some((address.ip(), kind.unwrap_or("not loopback")));
            }
        }
        match refused {
            Some((address, kind)) if allowed.is_empty() => Err(ConnectFault::Inside {
                origin: origin.to_string(),
                address,
                kind,
            }),
            _ if allowed.is_empty() => Err(ConnectFault::Resolve(
                name.clone(),
                io::ErrorKind::NotFound.into(),
            )),
            _ => Ok(allowed),
        }
    }

    async fn connect(self, uri: Uri) -> Result<TokioIo<TcpStream>, ConnectFault> {
        let origin = Origin::of(&uri).map_err(ConnectFault::Uri)?;
        let mut last = None;
        for address in self.addresses(&origin).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Latency, and nothing else, depends on it.
                    stream.set_nodelay(true).ok();
                    return Ok(TokioIo::new(stream));
                }
                Err(fault) => last = Some(ConnectFault::Connect(address, fault)),
            }
        }
        Err(last.unwrap_or_else(|| {
            ConnectFault::Resolve(origin.to_string(), io::ErrorKind::NotFound.into())
        }))
    }
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectFault;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectFault>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Answers(Vec<&'static str>);

    impl Resolve for Answers {
        fn resolve(&self, _: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
            let found = self.0.iter().map(|text| text.parse().unwrap());
            let found = found.map(|ip| SocketAddr::new(ip, port)).collect();
            Box::pin(async move { Ok(found) })
        }
    }

    async fn addresses(uri: &str, answers: &[&'static str]) -> Result<Vec<String>, ConnectFault> {
        let connector = Connector::new(Answers(answers.to_vec()));
        let origin = Origin::of(&uri.parse().unwrap()).unwrap();
        let found = connector.addresses(&origin).await?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    #[tokio::test]
    async fn a_name_leads_to_the_open_internet_only() {
        let mixed = ["10.0.0.1", "1.1.1.1", "::1"];
        assert_eq!(
            addresses("https://a.example", &mixed).await.unwrap(),
            ["1.1.1.1:443"]
        );
        for inner in ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fd00::1"] {
            let fault = addresses("https://a.example", &[inner]).await.unwrap_err();
            assert!(matches!(fault, ConnectFault::Inside { .. }), "{fault}");
        }
        let none = addresses("https://a.example", &[]).await.unwrap_err();
        assert!(matches!(none, ConnectFault::Resolve(..)), "{none}");
    }

    #[tokio::test]
    async fn what_is_named_literally_is_meant() {
        let found = addresses("http://10.0.0.1:81", &[]).await.unwrap();
        assert_eq!(found, ["10.0.0.1:81"]);
        let local = addresses("http://localhost:81", &["127.0.0.1", "10.0.0.1"]);
        assert_eq!(local.await.unwrap(), ["127.0.0.1:81"]);
        let fault = addresses("http://localhost", &["1.1.1.1"])
            .await
            .unwrap_err();
        assert!(matches!(fault, ConnectFault::Inside { .. }), "{fault}");
    }
}
