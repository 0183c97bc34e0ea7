//! TLS: certificates by name, read anew when their files change, and clients that
//! are known by certificates of their own.
//!
//! A connection keeps the host's certificate that it began with; its client's is good for
//! as long as it would be on a new one. Knows nothing of HTTP.

mod certificate;
mod certificates;
mod identity;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::shutdown::Drain;
use certificate::Authorities;
pub use certificate::{Certificate, Ended};
use certificates::Certificates;
pub use identity::Identity;

/// What both sides may speak within TLS, the better one first, RFC 7301.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What TLS reads, and what it asks of clients.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The host's own certificates. A client gets the one that holds the name it asks
    /// for, else the first.
    pub own: Vec<KeyPair>,
    /// Authorities whose certificates tell who a client is, in PEM. Without them no client
    /// is asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whether a client may come without a certificate, where it is asked for one.
    pub client_auth: ClientAuth,
    /// How long a client may take to begin.
    pub handshake_timeout: Duration,
}

/// The files of a certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// The certificate, with its chain.
    pub cert: PathBuf,
    /// The private key: PKCS#8, SEC1 or PKCS#1.
    pub key: PathBuf,
}

/// Whether a client must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// Who has none may be known in another way.
    Optional,
    /// No connection without one.
    Required,
}

/// The TLS of one host.
pub struct Tls {
    current: ArcSwap<Current>,
    settings: Settings,
}

/// What was read from the files.
struct Current {
    server: Arc<ServerConfig>,
    /// Who vouches for clients, where they are asked for certificates.
    authorities: Option<Arc<Authorities>>,
}

/// Why a connection did not come to be.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The client took too long.
    #[error("the client did not begin TLS in time")]
    Timeout,
    /// TLS itself.
    #[error("the TLS handshake failed: {0}")]
    Failed(#[from] std::io::Error),
}

impl Tls {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// The first one that can't be used, and why.
    pub fn load(settings: Settings) -> Result<Arc<Self>> {
        let files = watch::Files::read(&settings)?;
        Ok(Arc::new(Self {
            current: ArcSwap::from_pointee(Current::new(&settings, &files)?),
            settings,
        }))
    }

    /// Takes up changed files until the drain begins. Files that can't be used are
    /// told, and what was read before stays.
    pub async fn follow(self: Arc<Self>, drain: Drain) {
        tokio::select! {
            () = watch::follow(&self) => {}
            () = drain.begun() => {}
        }
    }

    /// Begins TLS with a client; also gives its certificate, if it shows one. `who` says
    /// what it is to the caller whom that names.
    ///
    /// # Errors
    /// When the client takes too long, or TLS fails.
    pub async fn handshake<P>(
        self: &Arc<Self>,
        stream: TcpStream,
        who: impl FnOnce(Identity) -> P,
    ) -> Result<(TlsStream<TcpStream>, Option<Arc<Certificate<P>>>), HandshakeError> {
        let current = self.current.load_full();
        let acceptor = TlsAcceptor::from(current.server.clone());
        let stream = timeout(self.settings.handshake_timeout, acceptor.accept(stream))
            .await
            .map_err(|_| HandshakeError::Timeout)??;
        let shown = stream.get_ref().1.peer_certificates();
        let certificate = match (shown, &current.authorities) {
            (Some(chain @ [own, ..]), Some(authorities)) => {
                let principal = Identity::of(own).map(who);
                let (tls, authorities) = (self.clone(), authorities.clone());
                Some(Certificate::new(tls, authorities, chain, principal))
            }
            _ => None,
        };
        Ok((stream, certificate.map(Arc::new)))
    }

    fn take_up(&self, files: &watch::Files) -> Result<()> {
        let current = Current::new(&self.settings, files)?;
        self.current.store(Arc::new(current));
        Ok(())
    }
}

impl Current {
    fn new(settings: &Settings, files: &watch::Files) -> Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certificates = Certificates::new(&files.own, &provider)?;
        let authorities = files.client_ca.as_ref();
        let authorities = authorities
            .map(|file| verifier(file, settings.client_auth, provider.clone()))
            .transpose()?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?;
        let builder = match &authorities {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier.clone()),
        };
        let mut server = builder.with_cert_resolver(Arc::new(certificates));
        server.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Self {
            server: Arc::new(server),
            authorities: authorities.map(|verifier| Arc::new(Authorities(verifier))),
        })
    }
}

fn verifier(
    authorities: &watch::File,
    auth: ClientAuth,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>> {
    let mut roots = rustls::RootCertStore::empty();
    for authority in certificates::chain(authorities)? {
        certificates::check_length(&authority, authorities)?;
        roots
            .add(authority)
            .with_context(|| format!("{} holds no authority", authorities.path.display()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match auth {
        ClientAuth::Optional => builder.allow_unauthenticated(),
        ClientAuth::Required => builder,
    };
    builder
        .build()
        .with_context(|| format!("{} can't be used", authorities.path.display()))
}
