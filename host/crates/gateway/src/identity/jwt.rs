//! Signed tokens (JWT, RFC 7519): whose they are, and whether they are valid.
//!
//! A token is ours when it says that it comes from an issuer that this host
//! trusts; then it must be valid. Any other may be meant for a component. The full
//! check is made once for a token; what it found is kept until the token expires or
//! the issuer's keys change.

mod age;
mod claims;
mod configured;
mod development;
mod records;

use std::path::Path;
use std::sync::Arc;

use futures::future::join_all;

use super::Denied;
use super::reserved::{self, is_reserved};
pub use age::Age;
use configured::configured;
use development::Development;
pub use development::TokenError;
use stoa_call::Principal;
use stoa_http::jwt::{
    self, JwksCache, TokenCache, TokenHash, TokenVerifier, VerifiedClaims, VerifyError,
};
use stoa_http::shutdown::Drain;
use stoa_settings::config::{self, DEVELOPMENT_ISSUER};
use stoa_store::Records;

/// The last token of a connection.
pub(crate) type LastToken = jwt::LastToken<Verified>;

/// The tokens that a host accepts.
pub struct Tokens {
    /// Those of the issuers of the host's settings.
    trusted: Vec<TokenVerifier>,
    /// Those of the host itself, for development.
    pub development: Development,
    cache: TokenCache<Verified>,
}

/// A token that was found to be valid.
#[derive(Debug)]
pub(crate) struct Verified {
    /// Whose it is.
    principal: Arc<Principal>,
    /// When it stops being valid, skew included. Seconds since 1970.
    until: u64,
    signed_by: SignedBy,
    /// Which of the issuer's sets of keys it was checked with.
    generation: u64,
}

/// Who has signed a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignedBy {
    /// The host, whose key never changes.
    Development,
    /// A trusted one: its place among them.
    Trusted(usize),
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
            trusted.push(configured(issuer, records).await?);
        }
        Ok(Self {
            trusted,
            development: Development::open(settings, data)?,
            cache: TokenCache::new(|known: &Verified| size(&known.principal))?,
        })
    }

    /// The issuers' public keys, where they come from files or addresses.
    pub fn jwks(&self) -> impl Iterator<Item = &Arc<JwksCache>> {
        self.trusted.iter().filter_map(TokenVerifier::jwks)
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
        let is_good = |known: &Arc<Verified>| self.is_good(known, now);
        if let Some(known) = last.get(token).filter(is_good) {
            return Ok(Some(known.principal.clone()));
        }
        let hash = self.cache.hash(token);
        let known = match self.cache.get(&hash).filter(is_good) {
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
        hash: TokenHash,
    ) -> Result<Option<Arc<Verified>>, Denied> {
        let Some(says) = jwt::unverified_issuer(token) else {
            return Ok(None);
        };
        let Some((signed_by, verifier)) = self.verifier(&says) else {
            return match says == DEVELOPMENT_ISSUER {
                true => Err(Denied::Invalid("this host accepts no development tokens")),
                false => Ok(None),
            };
        };
        let verified = verifier.verify(token).await.map_err(denied)?;
        let verified = Arc::new(Verified::new(signed_by, &verified)?);
        self.cache.keep(hash, &verified);
        Ok(Some(verified))
    }

    fn verifier(&self, issuer: &str) -> Option<(SignedBy, &TokenVerifier)> {
        let trusted = (0..).map(SignedBy::Trusted).zip(&self.trusted);
        let own = self.development.verifier();
        let mut all = trusted.chain(own.map(|own| (SignedBy::Development, own)));
        all.find(|(_, verifier)| verifier.issuer() == issuer)
    }

    /// Whether a token that was valid still is, at `now` in seconds since 1970.
    fn is_good(&self, known: &Verified, now: u64) -> bool {
        let is_current = match known.signed_by {
            SignedBy::Development => true,
            SignedBy::Trusted(place) => self
                .trusted
                .get(place)
                .is_some_and(|verifier| verifier.is_current(known.generation)),
        };
        now <= known.until && is_current
    }
}

impl Verified {
    fn new(signed_by: SignedBy, verified: &VerifiedClaims) -> Result<Self, Denied> {
        let principal = claims::principal(&verified.claims)
            .ok_or(Denied::Invalid("the token has no subject"))?;
        if is_reserved(&principal.subject) {
            return Err(Denied::Invalid(reserved::REASON));
        }
        Ok(Self {
            principal: Arc::new(principal),
            until: verified.until,
            signed_by,
            generation: verified.generation,
        })
    }
}

/// For the client.
fn denied(fault: VerifyError) -> Denied {
    match fault {
        VerifyError::UnknownKey => {
            Denied::Invalid("the token is signed with a key that is not known")
        }
        VerifyError::StaleKeys => Denied::Unchecked(
            "the keys of the token's issuer could not be read for too long: its tokens are refused until they can",
        ),
        VerifyError::Invalid(reason) => Denied::Invalid(reason),
    }
}

/// Bytes that a principal's texts take, about.
fn size(principal: &Principal) -> usize {
    let claims = principal.claims.iter();
    let claims = claims.map(|(name, value)| name.len() + value.len() + 2 * size_of::<String>());
    let scopes = principal.scopes.iter();
    let scopes = scopes.map(|scope| scope.len() + size_of::<String>());
    principal.subject.len() + claims.sum::<usize>() + scopes.sum::<usize>()
}

#[cfg(test)]
mod tests;
