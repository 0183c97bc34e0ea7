//! Signed tokens: JWT (RFC 7519) in the compact form of JWS (RFC 7515), and the keys that
//! they are checked with, also as issuers publish them: JWKS (RFC 7517).
//!
//! What a check found can be kept, so that it is made once for a token: [`TokenCache`] for
//! all, [`LastToken`] for one connection. Knows nothing of callers, nor of which issuers
//! to trust.

mod cache;
mod fetch;
mod jwks;
mod keys;
mod last;
mod signer;
mod verifier;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use jsonwebtoken::Algorithm;
use serde::Deserialize;

pub use cache::{TokenCache, TokenHash};
pub use fetch::JwksFetcher;
pub use jwks::{Freshness, JwksCache, JwksError, JwksSource, JwksStore, NEVER};
pub use keys::{LEAST_HS256_SECRET, VerificationKey};
pub use last::LastToken;
pub use signer::{SignError, TokenSigner};
pub use verifier::{TokenPolicy, TokenVerifier, VerifiedClaims, VerifyError};

/// The issuer that a token names, before anything of it is believed; `None` for
/// what is no token at all.
pub fn unverified_issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
    }
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Some(claims.iss)
}
