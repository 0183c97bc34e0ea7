//! An issuer of signed tokens: keys, tokens, and a server that publishes the keys.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use rcgen::{KeyPair, RsaKeySize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::client::PATIENCE;

/// A key that signs tokens.
pub struct SigningKey {
    /// Its name, `kid`.
    pub id: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Its public half, RFC 7517.
    pub jwk: Value,
    private: EncodingKey,
}

/// A server of one document of keys, on loopback.
pub struct Issuer {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    /// What is answered; none is a failure.
    document: Mutex<Option<String>>,
    asked: watch::Sender<u64>,
}

// === impl SigningKey ===

impl SigningKey {
    /// A new RS256 key.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn rsa(id: &str) -> Result<Self> {
        let pair = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let private = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes())?;
        Self::new(id, Algorithm::RS256, private)
    }

    /// A new ES256 key.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn ec(id: &str) -> Result<Self> {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let private = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes())?;
        Self::new(id, Algorithm::ES256, private)
    }

    /// A new EdDSA key.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn ed(id: &str) -> Result<Self> {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
        let private = EncodingKey::from_ed_der(&pair.serialize_der());
        let public = DecodingKey::from_ed_der(pair.public_key_raw());
        let jwk = Jwk::from_decoding_key(&public, Some(Algorithm::EdDSA))?;
        Self::of(id, Algorithm::EdDSA, private, jwk)
    }

    fn new(id: &str, algorithm: Algorithm, private: EncodingKey) -> Result<Self> {
        let jwk = Jwk::from_encoding_key(&private, algorithm)?;
        Self::of(id, algorithm, private, jwk)
    }

    fn of(id: &str, algorithm: Algorithm, private: EncodingKey, mut jwk: Jwk) -> Result<Self> {
        jwk.common.key_id = Some(id.to_owned());
        Ok(Self {
            id: id.to_owned(),
            algorithm,
            jwk: serde_json::to_value(jwk)?,
            private,
        })
    }

    /// A token of these claims.
    ///
    /// # Errors
    /// When it can't be signed.
    pub fn token(&self, claims: &Value) -> Result<String> {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.clone());
        Ok(encode(&header, claims, &self.private)?)
    }
}

/// A document of public keys, RFC 7517 section 5.
pub fn jwks(keys: &[&SigningKey]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| &key.jwk).collect();
    json!({ "keys": keys }).to_string()
}

// === impl Issuer ===

impl Issuer {
    /// A server that fails until keys are published.
    ///
    /// # Errors
    /// When the system gives no socket.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            document: Mutex::default(),
            asked: watch::Sender::new(0),
        });
        let serving = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that goes away is the host's business.
                let _ = answer(stream, &serving).await;
            }
        });
        Ok(Self { address, state })
    }

    /// Where the document is.
    pub fn url(&self) -> String {
        format!("http://{}/jwks.json", self.address)
    }

    /// Answers with these keys from now on.
    pub fn publish(&self, keys: &[&SigningKey]) {
        self.answer(Some(jwks(keys)));
    }

    /// Answers with this from now on; with none, breaks every connection.
    pub fn answer(&self, document: Option<String>) {
        *self
            .state
            .document
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = document;
    }

    /// How often it was asked.
    pub fn asked(&self) -> u64 {
        *self.state.asked.borrow()
    }

    /// Waits until it was asked so many times more.
    ///
    /// # Errors
    /// When it is not.
    pub async fn asked_again(&self, times: u64) -> Result<()> {
        let wanted = self.asked() + times;
        let mut asked = self.state.asked.subscribe();
        timeout(PATIENCE, asked.wait_for(|asked| *asked >= wanted))
            .await
            .context("the host does not ask for keys")??;
        Ok(())
    }
}

async fn answer(mut stream: TcpStream, state: &State) -> Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let document = state
        .document
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if let Some(document) = document {
        let response = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{document}",
            document.len()
        );
        stream.write_all(response.as_bytes()).await?;
        stream.shutdown().await?;
    }
    drop(stream);
    state.asked.send_modify(|asked| *asked += 1);
    Ok(())
}
