//! Whose certificates outgoing TLS believes: the system's roots, and those that
//! the operator adds.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Roots of trust. They are read when the first client is made: many hosts never
/// make one.
#[derive(Default)]
pub struct Trust {
    added: Vec<CertificateDer<'static>>,
    config: OnceLock<ClientConfig>,
}

impl Trust {
    /// The system's roots, and the certificates of a PEM file.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn new(ca: Option<&Path>) -> Result<Self, String> {
        let mut trust = Self::default();
        let Some(path) = ca else {
            return Ok(trust);
        };
        let bad =
            |fault: String| format!("{}: expected certificates in PEM: {fault}", path.display());
        let read = CertificateDer::pem_file_iter(path).map_err(|fault| bad(fault.to_string()))?;
        for certificate in read {
            trust
                .added
                .push(certificate.map_err(|fault| bad(fault.to_string()))?);
        }
        if trust.added.is_empty() {
            return Err(bad("found none".to_owned()));
        }
        Ok(trust)
    }

    /// The settings of a TLS client; its protocols are up to who uses it.
    pub fn client_config(&self) -> ClientConfig {
        self.config.get_or_init(|| self.make()).clone()
    }

    fn make(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        for fault in &native.errors {
            tracing::warn!("a root certificate of the system can't be read: {fault}");
        }
        roots.add_parsable_certificates(native.certs);
        roots.add_parsable_certificates(self.added.iter().cloned());
        if roots.is_empty() {
            tracing::warn!(
                "the system has no root certificates: outgoing HTTPS will fail; install them \
                 (ca-certificates), or name a file in `outbound.ca`"
            );
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the versions of TLS that are built in")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}
