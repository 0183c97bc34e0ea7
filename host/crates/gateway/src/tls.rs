//! TLS: certificates by name, read anew when their files change, and clients that
//! are known by certificates of their own.
//!
//! A connection keeps the host's certificate that it began with; its client's is good for
//! as long as it would be on a new one. Knows nothing of HTTP.

mod certificate;
mod certificates;
mod identity;
mod watch;

use std::sync::Arc;

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

use certificate::Authorities;
pub(super) use certificate::{Certificate, Ended};
use certificates::Certificates;
use stoa_http::shutdown::Drain;
use stoa_settings::config::tls::{self, ClientAuth};

/// What both sides may speak within TLS, the better one first, RFC 7301.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The TLS of one host.
pub struct Tls {
    current: ArcSwap<Current>,
    settings: tls::Tls,
}

/// What was read from the files.
struct Current {
    server: Arc<ServerConfig>,
    /// Who vouches for clients, where they are asked for certificates.
    authorities: Option<Arc<Authorities>>,
}

/// Why a connection did not come to be.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("the client did not begin TLS in time")]
    Timeout,
    #[error("the TLS handshake failed: {0}")]
    Failed(#[from] std::io::Error),
}

impl Tls {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// The first one that can't be used, and why.
    pub fn load(settings: &tls::Tls) -> Result<Arc<Self>> {
        let files = watch::Files::read(settings)?;
        Ok(Arc::new(Self {
            current: ArcSwap::from_pointee(Current::new(settings, &files)?),
            settings: settings.clone(),
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

    /// Begins TLS with a client; also tells who it is, if it shows a certificate.
    pub(super) async fn handshake(
        self: &Arc<Self>,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Option<Arc<Certificate>>), HandshakeError> {
        let current = self.current.load_full();
        let acceptor = TlsAcceptor::from(current.server.clone());
        let stream = timeout(self.settings.handshake_timeout, acceptor.accept(stream))
            .await
            .map_err(|_| HandshakeError::Timeout)??;
        let shown = stream.get_ref().1.peer_certificates();
        let certificate = match (shown, &current.authorities) {
            (Some(chain @ [own, ..]), Some(authorities)) => {
                let principal = identity::principal(own, &self.settings.client_scopes);
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
    fn new(settings: &tls::Tls, files: &watch::Files) -> Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certificates = Certificates::new(&files.own, &provider)?;
        let authorities = files.client_ca.as_ref();
        let authorities = authorities
            .map(|file| verifier(file, settings.client_auth(), provider.clone()))
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
