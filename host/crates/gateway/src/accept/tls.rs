//! TLS whose clients are callers: a certificate names a principal.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use stoa_call::Principal;
use stoa_http::shutdown::Drain;
use stoa_http::tls::{Certificate, ClientAuth, HandshakeError, Identity, KeyPair, Settings};
use stoa_settings::config::tls;

/// The TLS of one host, and what the clients that it knows may do.
pub struct Tls {
    tls: Arc<stoa_http::tls::Tls>,
    /// By the subject of a client's certificate.
    scopes: BTreeMap<String, Vec<String>>,
}

impl Tls {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// The first one that can't be used, and why.
    pub fn load(settings: &tls::Tls) -> Result<Arc<Self>> {
        let pairs = settings.cert.iter().cloned().zip(settings.key.clone());
        let tls = stoa_http::tls::Tls::load(Settings {
            own: pairs.map(|(cert, key)| KeyPair { cert, key }).collect(),
            client_ca: settings.client_ca.clone(),
            client_auth: match settings.client_auth() {
                tls::ClientAuth::Optional => ClientAuth::Optional,
                tls::ClientAuth::Required => ClientAuth::Required,
            },
            handshake_timeout: settings.handshake_timeout,
        })?;
        Ok(Arc::new(Self {
            tls,
            scopes: settings.client_scopes.clone(),
        }))
    }

    /// Takes up changed files until the drain begins. Files that can't be used are
    /// told, and what was read before stays.
    pub async fn follow(self: Arc<Self>, drain: Drain) {
        self.tls.clone().follow(drain).await;
    }

    /// Begins TLS with a client; also tells who it is, if it shows a certificate.
    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Option<Arc<Certificate<Principal>>>), HandshakeError> {
        let who = |identity| principal(identity, &self.scopes);
        self.tls.handshake(stream, who).await
    }
}

fn principal(identity: Identity, scopes: &BTreeMap<String, Vec<String>>) -> Principal {
    Principal {
        scopes: scopes.get(&identity.subject).cloned().unwrap_or_default(),
        subject: identity.subject,
        claims: vec![
            ("issuer".to_owned(), identity.issuer),
            ("serial".to_owned(), identity.serial),
            ("fingerprint".to_owned(), identity.fingerprint),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_go_by_the_whole_subject() {
        let scopes = BTreeMap::from([("cn:Order, Inc".to_owned(), vec!["orders:read".to_owned()])]);
        let identity = |subject: &str| Identity {
            subject: subject.to_owned(),
            issuer: "CN=shop".to_owned(),
            serial: "01".to_owned(),
            fingerprint: "sha256:00".to_owned(),
        };
        let found = principal(identity("cn:Order, Inc"), &scopes);
        assert_eq!(found.scopes, ["orders:read"]);
        let names = found.claims.iter().map(|(name, _)| name.as_str());
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["issuer", "serial", "fingerprint"]
        );
        assert!(principal(identity("cn:Order"), &scopes).scopes.is_empty());
    }
}
