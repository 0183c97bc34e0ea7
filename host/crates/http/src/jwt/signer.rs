//! Signing tokens.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Map, Value};

/// Signs with a secret.
pub struct TokenSigner(EncodingKey);

/// A token that could not be signed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SignError(#[from] jsonwebtoken::errors::Error);

impl TokenSigner {
    /// By HS256 (RFC 7518 section 3.2).
    pub fn hs256(secret: &[u8]) -> Self {
        Self(EncodingKey::from_secret(secret))
    }

    /// A token with these claims.
    ///
    /// # Errors
    /// When the cryptography fails.
    pub fn sign(&self, claims: &Map<String, Value>) -> Result<String, SignError> {
        Ok(encode(&Header::new(Algorithm::HS256), claims, &self.0)?)
    }
}
