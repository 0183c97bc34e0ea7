//! The host's own certificates, found by the name that a client asks for.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::watch::{File, Pair};

/// Certificates with their keys.
#[derive(Debug)]
pub(super) struct Certificates {
    /// In lower case; a name such as `*.example.com` stands for all one label below.
    by_name: HashMap<String, Arc<CertifiedKey>>,
    /// For a client that names no host, or one that nobody knows.
    first: Arc<CertifiedKey>,
}

impl Certificates {
    /// Reads certificates and keys. Of two with the same name the first gets it.
    ///
    /// # Errors
    /// Which file can't be used, and why.
    pub(super) fn new(pairs: &[Pair], provider: &CryptoProvider) -> Result<Self> {
        let mut by_name = HashMap::new();
        let mut first = None;
        for pair in pairs {
            let certified = Arc::new(certified(pair, provider)?);
            for name in names(&certified.cert[0], pair)? {
                by_name.entry(name).or_insert_with(|| certified.clone());
            }
            first.get_or_insert(certified);
        }
        let first = first.context("expected a certificate in `tls.cert`, found none")?;
        Ok(Self { by_name, first })
    }

    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.by_name.get(&name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(&format!("*.{parent}"))
        })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.find(name));
        Some(named.unwrap_or(&self.first).clone())
    }
}

/// The certificates of a file, in their order.
pub(super) fn chain(file: &File) -> Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&file.text).collect();
    let chain = read.with_context(|| format!("{} is no PEM", file.path.display()))?;
    if chain.is_empty() {
        bail!(
            "expected a certificate in {}, found no BEGIN CERTIFICATE",
            file.path.display()
        );
    }
    Ok(chain)
}

fn certified(pair: &Pair, provider: &CryptoProvider) -> Result<CertifiedKey> {
    let path = pair.key.path.display();
    let key = PrivateKeyDer::from_pem_slice(&pair.key.text)
        .with_context(|| format!("expected a private key in {path}"))?;
    CertifiedKey::from_der(chain(&pair.cert)?, key, provider).with_context(|| {
        format!(
            "the key in {path} does not go with the certificate in {}",
            pair.cert.path.display()
        )
    })
}

/// The DNS names of a certificate. One that is not valid now is told of: a client
/// will refuse it, but it may be all there is.
fn names(certificate: &CertificateDer<'_>, pair: &Pair) -> Result<Vec<String>> {
    let path = pair.cert.path.display();
    let (_, parsed) = X509Certificate::from_der(certificate)
        .with_context(|| format!("{path} holds no X.509 certificate"))?;
    let validity = parsed.validity();
    if !validity.is_valid() {
        tracing::warn!(
            "the certificate in {path} is not valid now: it is from {} to {}",
            validity.not_before,
            validity.not_after
        );
    }
    let alternatives = parsed
        .subject_alternative_name()
        .with_context(|| format!("the certificate in {path} has several lists of names"))?;
    let names = alternatives
        .iter()
        .flat_map(|list| &list.value.general_names);
    Ok(names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect())
}
