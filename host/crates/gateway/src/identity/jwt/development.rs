//! Tokens that the host signs itself, for developers: `stoa token`.
//!
//! Whoever holds the operator's token can be anybody with them. They are signed
//! with a secret of the data directory that is made at first use, under an issuer
//! of their own, so that a service can tell them from real ones.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::claims::OWN;
use crate::identity::reserved::{self, is_reserved};
use stoa_api::{NewToken, TokenRequest};
use stoa_http::jwt::{Algorithm, TokenPolicy, TokenSigner, TokenVerifier, VerificationKey};
use stoa_settings::config::{self, DEVELOPMENT_ISSUER, values};
use stoa_store::{make_secret, read_secret};

/// Who the tokens are for: this host's gateway.
const AUDIENCE: &str = "stoa";
/// The secret's file in the data directory.
const FILE: &str = "token-key";
/// How long a token is valid, unless asked for otherwise: a morning's work is
/// interrupted once or twice, and a forgotten one is soon worthless.
const LIFE: Duration = Duration::from_secs(60 * 60);
/// How long a token is valid at most: there is no list from which it could be struck.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The host as an issuer.
pub struct Development {
    setting: config::Development,
    path: PathBuf,
    signer: OnceLock<Signer>,
}

struct Signer {
    signs: TokenSigner,
    verifies: TokenVerifier,
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The operator does not want such tokens.
    #[error("development tokens are turned off on this host: jwt.development = \"off\"")]
    Off,
    /// The request makes no sense: what was expected and what was found.
    #[error("{0}")]
    Input(String),
    /// There is no key to sign with.
    #[error("the token can't be signed: {0}")]
    Key(String),
}

impl Development {
    /// With the secret of a data directory, if there is one yet.
    ///
    /// # Errors
    /// When there is one that can't be read.
    pub(super) fn open(settings: &config::Jwt, data: &Path) -> anyhow::Result<Self> {
        let development = Self {
            setting: settings.development,
            path: data.join(FILE),
            signer: OnceLock::new(),
        };
        if settings.development == config::Development::On {
            let secret = read_secret(&development.path)
                .with_context(|| format!("{} can't be read", development.path.display()))?;
            if let Some(secret) = secret {
                development.signer.get_or_init(|| Signer::new(&secret));
            }
        }
        Ok(development)
    }

    /// Checks the host's own tokens, once it has signed something.
    pub(super) fn verifier(&self) -> Option<&TokenVerifier> {
        self.signer.get().map(|signer| &signer.verifies)
    }

    /// Makes a token, at `now` in seconds since 1970.
    ///
    /// # Errors
    /// When the operator does not want it, or the request makes no sense.
    pub fn sign(&self, request: &TokenRequest, now: u64) -> Result<NewToken, TokenError> {
        if self.setting == config::Development::Off {
            return Err(TokenError::Off);
        }
        let expires = now.saturating_add(life(request)?.as_secs());
        let claims = claims(request, now, expires)?;
        let signer = self.signer()?;
        let token = signer.signs.sign(&claims);
        let token = token.map_err(|error| TokenError::Key(error.to_string()))?;
        let expires = UNIX_EPOCH + Duration::from_secs(expires);
        Ok(NewToken {
            token,
            expires: humantime::format_rfc3339_seconds(expires).to_string(),
        })
    }

    fn signer(&self) -> Result<&Signer, TokenError> {
        if let Some(signer) = self.signer.get() {
            return Ok(signer);
        }
        let failed =
            |error: std::io::Error| TokenError::Key(format!("{}: {error}", self.path.display()));
        let secret = make_secret(&self.path).map_err(failed)?;
        Ok(self.signer.get_or_init(|| Signer::new(&secret)))
    }
}

impl Signer {
    fn new(secret: &str) -> Self {
        let secret = secret.as_bytes();
        let policy = TokenPolicy {
            issuer: DEVELOPMENT_ISSUER.to_owned(),
            audience: vec![AUDIENCE.to_owned()],
            algorithms: vec![Algorithm::HS256],
            // The same clock signs and checks.
            skew: Duration::ZERO,
        };
        let key = VerificationKey::hs256(secret);
        Self {
            signs: TokenSigner::hs256(secret),
            verifies: TokenVerifier::new(policy, Some(key), None),
        }
    }
}

fn life(request: &TokenRequest) -> Result<Duration, TokenError> {
    let life = request.ttl.unwrap_or(LIFE);
    if (Duration::from_secs(1)..=LONGEST).contains(&life) {
        return Ok(life);
    }
    Err(TokenError::Input(format!(
        "expected a lifetime from 1s to 30d, found {}; an API key can last longer",
        humantime::format_duration(life)
    )))
}

fn claims(
    request: &TokenRequest,
    now: u64,
    expires: u64,
) -> Result<Map<String, Value>, TokenError> {
    if request.subject.is_empty() {
        return Err(TokenError::Input(
            "expected a subject such as \"alice\", found nothing".to_owned(),
        ));
    }
    if is_reserved(&request.subject) {
        return Err(TokenError::Input(reserved::REASON.to_owned()));
    }
    for scope in &request.scopes {
        values::scope(scope).map_err(TokenError::Input)?;
    }
    let own = json!({
        "iss": DEVELOPMENT_ISSUER,
        "aud": AUDIENCE,
        "sub": request.subject,
        "scope": request.scopes.join(" "),
        "iat": now,
        "exp": expires,
    });
    let mut claims = Map::new();
    for (name, value) in &request.claims {
        if OWN.contains(&name.as_str()) || own.get(name).is_some() {
            return Err(TokenError::Input(format!(
                "the claim {name:?} is the host's to set: leave it out"
            )));
        }
        claims.insert(name.clone(), value.clone().into());
    }
    claims.extend(own.as_object().cloned().unwrap_or_default());
    Ok(claims)
}
