//! Signed tokens (JWT, RFC 7519): whose they are, and whether they are valid.
//!
//! A token is ours when it says that it comes from an issuer that this host
//! trusts; then it must be valid. Any other may be meant for a component. The full
//! check is made once for a token; what it found is kept until the token expires or
//! the issuer's keys change.

mod age;
mod cache;
mod claims;
mod development;
mod fetch;
mod issuer;
mod jwks;
mod kept;
mod keys;
mod last;

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::join_all;
use serde::Deserialize;

use super::Denied;
pub use age::Age;
use cache::{Cache, Generation, Verified};
use development::Development;
pub use development::TokenError;
use issuer::{Issuer, Unverified};
use jwks::Jwks;
pub(crate) use last::LastToken;
use stoa_call::Principal;
use stoa_http::shutdown::Drain;
use stoa_settings::config::{self, DEVELOPMENT_ISSUER};
use stoa_store::Records;

/// The tokens that a host accepts.
pub struct Tokens {
    /// The issuers of the host's settings.
    trusted: Vec<Issuer>,
    /// The host itself, for development.
    pub development: Development,
    cache: Cache,
}

impl Tokens {
    /// By these settings, with the development key in `data` and with the issuers' keys
    /// that were kept in `records`.
    ///
    /// # Errors
    /// When a file of keys can't be read, or the system can't do what is asked.
    pub async fn open(
        settings: &config::Jwt,
        data: &Path,
        records: &Arc<dyn Records>,
    ) -> anyhow::Result<Self> {
        let mut trusted = Vec::new();
        for issuer in settings.trusted() {
            trusted.push(Issuer::configured(trusted.len(), issuer, records).await?);
        }
        Ok(Self {
            trusted,
            development: Development::open(settings, data)?,
            cache: Cache::new()?,
        })
    }

    /// The issuers' public keys, where they come from files or addresses.
    pub fn jwks(&self) -> impl Iterator<Item = &Arc<Jwks>> {
        self.trusted.iter().filter_map(Issuer::jwks)
    }

    /// Keeps the issuers' keys fresh until the drain begins.
    pub async fn tend(&self, drain: Drain) {
        let all = join_all(self.jwks().map(|jwks| jwks.keep_fresh()));
        tokio::select! {
            // At once where there are none.
            _ = all => {}
            () = drain.begun() => {}
        }
    }

    /// Whose token it is, at `now` in seconds since 1970; `None` for one that is
    /// none of ours. `last` is of the connection that it comes over.
    pub(super) async fn check(
        &self,
        token: &str,
        now: u64,
        last: &LastToken,
    ) -> Result<Option<Arc<Principal>>, Denied> {
        let is_good = |known: &Arc<Verified>| now <= known.until && self.is_current(known);
        if let Some(known) = last.get(token).filter(is_good) {
            return Ok(Some(known.principal.clone()));
        }
        let hash = self.cache.hash(token);
        let known = match self.cache.get(&hash, now).filter(is_good) {
            Some(known) => Some(known),
            // Boxed: it is rare, and each request's future would have room for it.
            None => Box::pin(self.check_fully(token, hash)).await?,
        };
        Ok(known.map(|known| {
            last.keep(token, &known);
            known.principal.clone()
        }))
    }

    async fn check_fully(
        &self,
        token: &str,
        hash: cache::TokenHash,
    ) -> Result<Option<Arc<Verified>>, Denied> {
        let Some(says) = issuer_of(token) else {
            return Ok(None);
        };
        let Some(issuer) = self.issuer(&says) else {
            return match says == DEVELOPMENT_ISSUER {
                true => Err(Denied::Invalid("this host accepts no development tokens")),
                false => Ok(None),
            };
        };
        let verified = match issuer.verify(token) {
            Err(Unverified::UnknownKey | Unverified::Stale) => {
                issuer.look_for_new_keys().await;
                issuer.verify(token)
            }
            other => other,
        };
        let verified = Arc::new(verified.map_err(Unverified::denied)?);
        self.cache.keep(hash, &verified);
        Ok(Some(verified))
    }

    fn issuer(&self, name: &str) -> Option<&Issuer> {
        let trusted = self.trusted.iter().chain(self.development.issuer());
        trusted.into_iter().find(|issuer| issuer.name() == name)
    }

    /// Whether the keys are still those that it was checked with.
    fn is_current(&self, known: &Verified) -> bool {
        match known.generation {
            Generation::Development => true,
            Generation::Trusted(place, number) => self
                .trusted
                .get(place)
                .is_some_and(|issuer| issuer.generation() == number && !issuer.is_stale()),
        }
    }
}

/// The issuer that a token names, before anything of it is believed; `None` for
/// what is no token at all.
fn issuer_of(token: &str) -> Option<String> {
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

#[cfg(test)]
mod tests;
