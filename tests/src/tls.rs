//! Certificates made for a test, and a client that believes them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    SignatureAlgorithm,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::client::PATIENCE;

/// Who signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub struct Identity {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// Its private key.
    pub key: KeyPair,
}

/// How a client begins TLS.
#[derive(Clone)]
pub struct Dialer {
    config: ClientConfig,
    name: ServerName<'static>,
}

// === impl Authority ===

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Ok(Self(CertifiedIssuer::self_signed(
            params,
            KeyPair::generate()?,
        )?))
    }

    /// A certificate with an ECDSA key for these DNS names, for a host or a client.
    ///
    /// # Errors
    /// When a name is none.
    pub fn issue(&self, names: &[&str]) -> Result<Identity> {
        self.issue_with(names, KeyPair::generate()?)
    }

    /// The same with a key of this algorithm.
    ///
    /// # Errors
    /// When a name is none.
    pub fn issue_for(
        &self,
        names: &[&str],
        algorithm: &'static SignatureAlgorithm,
    ) -> Result<Identity> {
        self.issue_with(names, KeyPair::generate_for(algorithm)?)
    }

    /// A certificate for a client that this URI names.
    ///
    /// # Errors
    /// When it is none.
    pub fn issue_to_uri(&self, uri: &str) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
        self.sign(&params, KeyPair::generate()?)
    }

    /// A certificate for a client of this DNS name that ends after a time.
    ///
    /// # Errors
    /// When the name is none.
    pub fn issue_for_a_while(&self, name: &str, life: Duration) -> Result<Identity> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + now + life;
        self.sign(&params, KeyPair::generate()?)
    }

    /// The authority's own certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// The authority's own certificate, in a file.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, folder: &Path, name: &str) -> Result<PathBuf> {
        let path = folder.join(format!("{name}.pem"));
        std::fs::write(&path, self.0.pem())?;
        Ok(path)
    }

    fn issue_with(&self, names: &[&str], key: KeyPair) -> Result<Identity> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        self.sign(&CertificateParams::new(names)?, key)
    }

    fn sign(&self, params: &CertificateParams, key: KeyPair) -> Result<Identity> {
        let certificate = params.signed_by(&key, &self.0)?.der().clone();
        Ok(Identity { certificate, key })
    }
}

// === impl Identity ===

impl Identity {
    /// Writes `NAME.pem` and `NAME.key`; what was there is replaced at once.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn write(&self, folder: &Path, name: &str) -> Result<()> {
        let certificate = pem("CERTIFICATE", &self.certificate);
        std::fs::write(folder.join(format!("{name}.pem")), certificate)?;
        std::fs::write(folder.join(format!("{name}.key")), self.key.serialize_pem())?;
        Ok(())
    }

    /// A server's side of TLS with this certificate.
    ///
    /// # Errors
    /// When the key does not go with it.
    pub fn acceptor(&self) -> Result<TlsAcceptor> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::ALL_VERSIONS)?
            .with_no_client_auth()
            .with_single_cert(
                vec![self.certificate.clone()],
                PrivatePkcs8KeyDer::from(self.key.serialize_der()).into(),
            )?;
        Ok(Arc::new(server).into())
    }
}

/// Bytes as PEM.
pub fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in der.chunks(3) {
        let bits = three
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= three.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

// === impl Dialer ===

impl Dialer {
    /// A client that asks for `name` and believes this authority.
    ///
    /// # Errors
    /// When `name` is none.
    pub fn new(name: &str, authority: &Authority) -> Result<Self> {
        Self::of_versions(name, authority, None, rustls::ALL_VERSIONS)
    }

    /// The same with a certificate of its own.
    ///
    /// # Errors
    /// When `name` is none.
    pub fn known(name: &str, authority: &Authority, identity: &Identity) -> Result<Self> {
        Self::of_versions(name, authority, Some(identity), rustls::ALL_VERSIONS)
    }

    /// The same with these versions of TLS only.
    ///
    /// # Errors
    /// When `name` is none.
    pub fn of_versions(
        name: &str,
        authority: &Authority,
        identity: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.0.der().clone())?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder.with_client_auth_cert(
                vec![identity.certificate.clone()],
                PrivatePkcs8KeyDer::from(identity.key.serialize_der()).into(),
            )?,
        };
        Ok(Self {
            config,
            name: ServerName::try_from(name.to_owned())?,
        })
    }

    /// Begins TLS and offers these protocols.
    ///
    /// # Errors
    /// When the host refuses, or shows a certificate for another name.
    pub async fn dial(&self, address: SocketAddr, offers: &[&str]) -> Result<TlsStream<TcpStream>> {
        let mut config = self.config.clone();
        config.alpn_protocols = offers
            .iter()
            .map(|offer| offer.as_bytes().to_vec())
            .collect();
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::new(config));
        let begun = timeout(PATIENCE, connector.connect(self.name.clone(), stream)).await;
        begun
            .context("no TLS handshake in time")?
            .context("the TLS handshake failed")
    }
}
