//! Settings of TLS.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::faults::Faults;

/// What the subject of a client's certificate begins with.
pub const SUBJECTS: [&str; 4] = ["uri:", "dns:", "email:", "cn:"];

/// How the gateway speaks TLS: on an address of its own, beside the plain one, as
/// soon as there is a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Where the gateway listens for TLS.
    pub listen: SocketAddr,
    /// Files of certificates, each with its chain, in PEM. A client gets the one that
    /// holds the name it asks for, else the first.
    pub cert: Vec<PathBuf>,
    /// The files of their private keys, in the same order: PKCS#8, SEC1 or PKCS#1.
    pub key: Vec<PathBuf>,
    /// Authorities whose certificates tell who a client is. Without them no client is
    /// asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whether a client may come without a certificate. `None` is required with
    /// `client_ca`: who names an authority wants to know every client.
    pub client_auth: Option<ClientAuth>,
    /// What clients may do, by the subject of their certificates: `uri:…`, `dns:…`,
    /// `email:…` or `cn:…`.
    pub client_scopes: BTreeMap<String, Vec<String>>,
    /// How long a client may take to begin.
    pub handshake_timeout: Duration,
}

/// Whether a client must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// Who has none is asked for another identity where a route wants one.
    Optional,
    /// No connection without one.
    Required,
}

impl Tls {
    /// Whether the gateway listens for TLS at all.
    pub fn is_on(&self) -> bool {
        !self.cert.is_empty()
    }

    /// Whether a client may come without a certificate, where certificates are asked for.
    pub fn client_auth(&self) -> ClientAuth {
        self.client_auth.unwrap_or(ClientAuth::Required)
    }

    /// What does not go together.
    pub(super) fn check(&self, faults: &mut Faults) {
        let (certificates, keys) = (self.cert.len(), self.key.len());
        if certificates != keys {
            faults.add(
                "tls.cert",
                format!(
                    "expected as many keys as certificates, found {certificates} in `tls.cert` \
                     and {keys} in `tls.key`"
                ),
            );
        }
        if self.client_ca.is_some() && !self.is_on() {
            faults.add(
                "tls.client_ca",
                "expected a certificate of the host's own in `tls.cert`, found none",
            );
        }
        if self.client_auth.is_some() && self.client_ca.is_none() {
            faults.add(
                "tls.client_auth",
                "expected the authorities of clients in `tls.client_ca`, found none: nobody would be asked for a \
                 certificate",
            );
        }
        for subject in self.client_scopes.keys() {
            let known = SUBJECTS.iter().any(|kind| subject.starts_with(kind));
            if !known {
                faults.add(
                    "tls.client_scopes",
                    format!(
                        "expected a subject such as {}, found {subject:?}: no client would have these scopes",
                        SUBJECTS.map(|kind| format!("\"{kind}…\"")).join(", ")
                    ),
                );
            }
        }
        if !self.client_scopes.is_empty() && self.client_ca.is_none() {
            faults.add(
                "tls.client_scopes",
                "expected the authorities of these clients in `tls.client_ca`, found none",
            );
        }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            // As the plain address: loopback until somebody says otherwise.
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8443)),
            // There is no certificate that a client would believe.
            cert: Vec::new(),
            key: Vec::new(),
            client_ca: None,
            client_auth: None,
            // A certificate says who, not what.
            client_scopes: BTreeMap::new(),
            // Two round trips and a signature; the time that a head has.
            handshake_timeout: Duration::from_secs(10),
        }
    }
}
