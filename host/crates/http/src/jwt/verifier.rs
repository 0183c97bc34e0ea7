//! Checking the tokens of one issuer: their signature (RFC 7515) and their registered
//! claims (RFC 7519 section 4.1). What the other claims mean is for who asks.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::jwks::JwksCache;
use super::keys::VerificationKey;

/// What a token must be to be accepted.
#[derive(Debug, Clone)]
pub struct TokenPolicy {
    /// Its claim `iss`.
    pub issuer: String,
    /// One of these must be in its claim `aud`.
    pub audience: Vec<String>,
    /// It is signed by one of these. A key is only ever used for its own.
    pub algorithms: Vec<Algorithm>,
    /// How far the issuer's clock and this one may be apart.
    pub skew: Duration,
}

/// Checks the tokens of an issuer.
pub struct TokenVerifier {
    issuer: String,
    algorithms: Vec<Algorithm>,
    /// All but the algorithm, which each token names.
    validation: Validation,
    /// One that stays.
    secret: Option<VerificationKey>,
    /// Those that change.
    public: Option<Arc<JwksCache>>,
}

/// What a token that was accepted says.
#[derive(Debug)]
pub struct VerifiedClaims {
    /// All of its claims.
    pub claims: Map<String, Value>,
    /// When it stops being valid, skew included. Seconds since 1970.
    pub until: u64,
    /// Which set of public keys it was checked with, see [`TokenVerifier::is_current`].
    pub generation: u64,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyError {
    /// It names a key that is not there: perhaps not yet.
    UnknownKey,
    /// The keys that there are have not been read for too long.
    StaleKeys,
    /// Why, for the client.
    Invalid(&'static str),
}

impl TokenVerifier {
    /// Of tokens that are signed with a secret, with public keys, or with either.
    pub fn new(
        policy: TokenPolicy,
        secret: Option<VerificationKey>,
        public: Option<Arc<JwksCache>>,
    ) -> Self {
        let mut validation = Validation {
            leeway: policy.skew.as_secs(),
            validate_nbf: true,
            ..Validation::default()
        };
        validation.set_issuer(&[&policy.issuer]);
        validation.set_audience(&policy.audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Self {
            issuer: policy.issuer,
            algorithms: policy.algorithms,
            validation,
            secret,
            public,
        }
    }

    /// The claim `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The public keys, where they can change.
    pub fn jwks(&self) -> Option<&Arc<JwksCache>> {
        self.public.as_ref()
    }

    /// Whether the public keys are still those of `generation`, and not too old.
    pub fn is_current(&self, generation: u64) -> bool {
        let jwks = self.jwks();
        jwks.map_or(0, |jwks| jwks.current().generation) == generation && !self.is_stale()
    }

    fn is_stale(&self) -> bool {
        self.jwks().is_some_and(|jwks| jwks.is_stale())
    }

    /// Checks a token. If none of the keys fits, and it is time to, they are read anew.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn verify(&self, token: &str) -> Result<VerifiedClaims, VerifyError> {
        match (self.verify_with_known(token), self.jwks()) {
            (Err(VerifyError::UnknownKey | VerifyError::StaleKeys), Some(jwks)) => {
                jwks.look_for_new().await;
                self.verify_with_known(token)
            }
            (verified, _) => verified,
        }
    }

    /// Checks a token with the keys that there are.
    fn verify_with_known(&self, token: &str) -> Result<VerifiedClaims, VerifyError> {
        let header = decode_header(token).map_err(|_| {
            VerifyError::Invalid("the token's header is damaged, or its algorithm not known")
        })?;
        if !self.algorithms.contains(&header.alg) {
            return Err(VerifyError::Invalid(
                "the token's algorithm is not accepted",
            ));
        }
        // RFC 7515 section 4.1.11: what is critical and not understood is refused.
        if header.crit.is_some() {
            return Err(VerifyError::Invalid("the token has critical extensions"));
        }
        let id = header.kid.as_deref();
        let set = self.jwks().map(|jwks| jwks.current());
        let generation = set.as_ref().map_or(0, |set| set.generation);
        let stale = self.is_stale();
        let secret = self.secret.iter().filter(|key| key.algorithm == header.alg);
        let named = set.iter().filter(|_| !stale);
        let named = named.flat_map(|set| set.candidates(id, header.alg));
        match self.try_keys(token, secret.chain(named), generation) {
            Err(VerifyError::UnknownKey) if stale => Err(VerifyError::StaleKeys),
            verified => verified,
        }
    }

    fn try_keys<'k>(
        &self,
        token: &str,
        keys: impl Iterator<Item = &'k VerificationKey>,
        generation: u64,
    ) -> Result<VerifiedClaims, VerifyError> {
        let mut found = Err(VerifyError::UnknownKey);
        for key in keys {
            found = self.try_key(token, key, generation);
            // Another key may have signed it; a token that is too old stays so.
            if !matches!(found, Err(VerifyError::Invalid(SIGNATURE))) {
                break;
            }
        }
        found
    }

    fn try_key(
        &self,
        token: &str,
        key: &VerificationKey,
        generation: u64,
    ) -> Result<VerifiedClaims, VerifyError> {
        let validation = Validation {
            algorithms: vec![key.algorithm],
            ..self.validation.clone()
        };
        let claims = decode::<Map<String, Value>>(token, &key.decoding, &validation)
            .map_err(|error| VerifyError::Invalid(reason(error.kind())))?
            .claims;
        let expiry =
            expiry(&claims).ok_or(VerifyError::Invalid("the token's expiry is no time"))?;
        Ok(VerifiedClaims {
            claims,
            until: expiry.saturating_add(self.validation.leeway),
            generation,
        })
    }
}

/// When a token expires, in seconds since 1970; a fraction is the issuer's right.
fn expiry(claims: &Map<String, Value>) -> Option<u64> {
    let exp = claims.get("exp")?;
    // A number of seconds below 2^53 has an exact form in either type.
    exp.as_u64().or_else(|| exp.as_f64().map(|exp| exp as u64))
}

const SIGNATURE: &str = "the token's signature is wrong";

/// Says what is wrong and nothing that a forger could learn from.
fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => SIGNATURE,
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::InvalidIssuer => "the token is of another issuer",
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "exp" => "the token has no claim exp",
            "aud" => "the token has no claim aud",
            "sub" => "the token has no claim sub",
            _ => "the token lacks a claim",
        },
        _ => "the token is damaged",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::now;
    use crate::jwt::TokenSigner;

    const SECRET: &[u8] = b"an example's secret of 32 bytes.";

    fn verifier() -> TokenVerifier {
        let policy = TokenPolicy {
            issuer: "issuer".to_owned(),
            audience: vec!["shop".to_owned()],
            algorithms: vec![Algorithm::HS256],
            skew: Duration::from_secs(60),
        };
        TokenVerifier::new(policy, Some(VerificationKey::hs256(SECRET)), None)
    }

    /// What is found of a token that is right but for these claims.
    async fn verify(changed: Value) -> Result<VerifiedClaims, VerifyError> {
        let mut claims = Map::new();
        let right = json!({ "iss": "issuer", "aud": "shop", "sub": "a", "exp": now() + 100 });
        for part in [right, changed] {
            claims.extend(part.as_object().unwrap().clone());
        }
        claims.retain(|_, value| !value.is_null());
        let token = TokenSigner::hs256(SECRET).sign(&claims).unwrap();
        verifier().verify(&token).await
    }

    #[tokio::test]
    async fn a_token_is_what_its_policy_asks() {
        let verified = verify(json!({ "extra": 7, "nbf": now() + 30 }))
            .await
            .unwrap();
        assert_eq!(verified.claims["extra"], 7);
        assert!(verified.until >= now() + 100 && verified.until <= now() + 160);
        assert!(verifier().is_current(verified.generation));
        for (changed, reason) in [
            (json!({ "iss": "other" }), "the token is of another issuer"),
            (
                json!({ "aud": ["x", "y"] }),
                "the token is for another audience",
            ),
            (json!({ "exp": now() - 61 }), "the token has expired"),
            (json!({ "nbf": now() + 90 }), "the token is not valid yet"),
            (json!({ "exp": null }), "the token has no claim exp"),
            (json!({ "sub": null }), "the token has no claim sub"),
        ] {
            let refused = verify(changed).await.unwrap_err();
            assert_eq!(refused, VerifyError::Invalid(reason));
        }
    }

    #[tokio::test]
    async fn a_token_of_another_key_is_refused() {
        let claims = json!({ "iss": "issuer", "aud": "shop", "sub": "a", "exp": now() + 100 });
        let other = TokenSigner::hs256(b"another secret, also of 32 bytes");
        let token = other.sign(claims.as_object().unwrap()).unwrap();
        let refused = verifier().verify(&token).await.unwrap_err();
        assert_eq!(refused, VerifyError::Invalid(SIGNATURE));
        let policy = TokenPolicy {
            issuer: "issuer".to_owned(),
            audience: Vec::new(),
            algorithms: vec![Algorithm::HS256],
            skew: Duration::ZERO,
        };
        let keyless = TokenVerifier::new(policy, None, None);
        let refused = keyless.verify(&token).await.unwrap_err();
        assert_eq!(refused, VerifyError::UnknownKey);
    }
}
