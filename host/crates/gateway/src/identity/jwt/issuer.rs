//! One issuer that is trusted: its name, its audiences and its keys.

use std::sync::Arc;

use anyhow::{Context, ensure};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::cache::{Generation, Verified};
use super::claims;
use super::jwks::Jwks;
use super::keys::{Key, KeySet};
use crate::identity::Denied;
use crate::identity::reserved::{self, is_reserved};
use stoa_settings::config;
use stoa_store::Records;

/// What RFC 7518 section 3.2 asks of an HS256 secret, in bytes.
const LEAST_SECRET: usize = 32;

/// Who signs tokens, and how they are checked.
pub(super) struct Issuer {
    name: String,
    algorithms: Vec<Algorithm>,
    /// All but the algorithm, which each token names.
    validation: Validation,
    keys: Keys,
}

enum Keys {
    /// Of the host itself.
    Development(KeySet),
    /// From the host's settings: a secret that stays, public keys that change.
    Configured {
        place: usize,
        secret: Option<Key>,
        public: Option<Arc<Jwks>>,
    },
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unverified {
    /// It names a key that is not there: perhaps not yet.
    UnknownKey,
    /// The keys that there are have not been read for too long.
    Stale,
    /// Why, for the client.
    Invalid(&'static str),
}

impl Unverified {
    /// For the client.
    pub(super) fn denied(self) -> Denied {
        match self {
            Self::UnknownKey => Denied::Invalid("the token is signed with a key that is not known"),
            Self::Stale => Denied::Unchecked(
                "the keys of the token's issuer could not be read for too long: its tokens are refused until they can",
            ),
            Self::Invalid(reason) => Denied::Invalid(reason),
        }
    }
}

impl Issuer {
    /// An issuer of the host's settings, which is the nth of them.
    ///
    /// # Errors
    /// When a file can't be read or holds no keys.
    pub(super) async fn configured(
        place: usize,
        settings: &config::Issuer,
        records: &Arc<dyn Records>,
    ) -> anyhow::Result<Self> {
        let name = settings.name.clone().unwrap_or_default();
        let public = match &settings.jwks {
            None => None,
            Some(from) => Some(Arc::new(Jwks::open(&name, from, settings, records).await?)),
        };
        let algorithms = settings.algorithms.iter().copied().map(algorithm).collect();
        let keys = Keys::Configured {
            place,
            secret: settings.secret_file.as_deref().map(secret).transpose()?,
            public,
        };
        let (audience, skew) = (&settings.audience, settings.skew.as_secs());
        Ok(Self::new(name, audience, algorithms, skew, keys))
    }

    /// The host itself, which signs with this secret.
    pub(super) fn development(name: &str, audience: &str, secret: &[u8]) -> Self {
        let keys = KeySet {
            keys: vec![hmac(secret)],
            generation: 0,
        };
        let (audience, algorithms) = (&[audience.to_owned()], vec![Algorithm::HS256]);
        let keys = Keys::Development(keys);
        // The same clock signs and checks.
        Self::new(name.to_owned(), audience, algorithms, 0, keys)
    }

    fn new(
        name: String,
        audience: &[String],
        algorithms: Vec<Algorithm>,
        skew: u64,
        keys: Keys,
    ) -> Self {
        let mut validation = Validation {
            leeway: skew,
            validate_nbf: true,
            ..Validation::default()
        };
        validation.set_issuer(&[&name]);
        validation.set_audience(audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Self {
            name,
            algorithms,
            validation,
            keys,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its public keys, where they can change.
    pub(super) fn jwks(&self) -> Option<&Arc<Jwks>> {
        match &self.keys {
            Keys::Development(_) => None,
            Keys::Configured { public, .. } => public.as_ref(),
        }
    }

    /// How many sets of public keys there were.
    pub(super) fn generation(&self) -> u64 {
        self.jwks().map_or(0, |jwks| jwks.current().generation)
    }

    /// Whether its public keys have not been read for too long.
    pub(super) fn is_stale(&self) -> bool {
        self.jwks().is_some_and(|jwks| jwks.is_stale())
    }

    /// Asks for keys that are not known yet, if it is time to.
    pub(super) async fn look_for_new_keys(&self) {
        if let Some(jwks) = self.jwks() {
            jwks.look_for_new().await;
        }
    }

    /// Checks a token with the keys that there are.
    pub(super) fn verify(&self, token: &str) -> Result<Verified, Unverified> {
        let header = decode_header(token).map_err(|_| {
            Unverified::Invalid("the token's header is damaged, or its algorithm not known")
        })?;
        if !self.algorithms.contains(&header.alg) {
            return Err(Unverified::Invalid("the token's algorithm is not accepted"));
        }
        // RFC 7515 section 4.1.11: what is critical and not understood is refused.
        if header.crit.is_some() {
            return Err(Unverified::Invalid("the token has critical extensions"));
        }
        let id = header.kid.as_deref();
        match &self.keys {
            Keys::Development(set) => self.try_keys(
                token,
                set.candidates(id, header.alg),
                Generation::Development,
            ),
            Keys::Configured {
                place,
                secret,
                public,
            } => {
                let set = public.as_ref().map(|jwks| jwks.current());
                let generation = set.as_ref().map_or(0, |set| set.generation);
                let secret = secret.iter().filter(|key| key.algorithm == header.alg);
                let stale = self.is_stale();
                let named = set.iter().filter(|_| !stale);
                let named = named.flat_map(|set| set.candidates(id, header.alg));
                let generation = Generation::Trusted(*place, generation);
                match self.try_keys(token, secret.chain(named), generation) {
                    Err(Unverified::UnknownKey) if stale => Err(Unverified::Stale),
                    other => other,
                }
            }
        }
    }

    fn try_keys<'k>(
        &self,
        token: &str,
        keys: impl Iterator<Item = &'k Key>,
        generation: Generation,
    ) -> Result<Verified, Unverified> {
        let mut found = Err(Unverified::UnknownKey);
        for key in keys {
            found = self.try_key(token, key, generation);
            // Another key may have signed it; a token that is too old stays so.
            if !matches!(found, Err(Unverified::Invalid(SIGNATURE))) {
                break;
            }
        }
        found
    }

    fn try_key(
        &self,
        token: &str,
        key: &Key,
        generation: Generation,
    ) -> Result<Verified, Unverified> {
        let validation = Validation {
            algorithms: vec![key.algorithm],
            ..self.validation.clone()
        };
        let claims = decode::<Map<String, Value>>(token, &key.decoding, &validation)
            .map_err(|error| Unverified::Invalid(reason(error.kind())))?
            .claims;
        let principal =
            claims::principal(&claims).ok_or(Unverified::Invalid("the token has no subject"))?;
        if is_reserved(&principal.subject) {
            return Err(Unverified::Invalid(reserved::REASON));
        }
        let expiry =
            claims::expiry(&claims).ok_or(Unverified::Invalid("the token's expiry is no time"))?;
        Ok(Verified {
            principal: Arc::new(principal),
            until: expiry.saturating_add(self.validation.leeway),
            generation,
        })
    }
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

fn algorithm(of: config::Algorithm) -> Algorithm {
    match of {
        config::Algorithm::Rs256 => Algorithm::RS256,
        config::Algorithm::Es256 => Algorithm::ES256,
        config::Algorithm::EdDsa => Algorithm::EdDSA,
        config::Algorithm::Hs256 => Algorithm::HS256,
    }
}

fn secret(file: &std::path::Path) -> anyhow::Result<Key> {
    let bytes = std::fs::read(file).with_context(|| {
        format!(
            "the secret of jwt.secret_file can't be read: {}",
            file.display()
        )
    })?;
    let secret = bytes.trim_ascii_end();
    ensure!(
        secret.len() >= LEAST_SECRET,
        "expected a secret of {LEAST_SECRET} bytes at least for HS256, found {} in {}",
        secret.len(),
        file.display()
    );
    Ok(hmac(secret))
}

fn hmac(secret: &[u8]) -> Key {
    Key {
        id: None,
        algorithm: Algorithm::HS256,
        decoding: DecodingKey::from_secret(secret),
    }
}
