//! A client's certificate for as long as its connection lasts: whom it names, and
//! whether that still holds.
//!
//! TLS verifies it when a connection begins, and then never again. Here it is verified
//! anew, by the same rules, when a certificate of its chain has come to its end or when
//! the authorities were read anew: a connection must not outlive either.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Tls;

/// Who vouches for clients, as they were read at one time.
#[derive(Debug)]
pub(super) struct Authorities(pub(super) Arc<dyn ClientCertVerifier>);

/// The certificate that a client showed when its connection began.
/// `P` is what the client is to those who serve it.
pub struct Certificate<P> {
    /// `None` for a certificate that names nobody.
    principal: Option<Arc<P>>,
    /// The client's own, and what leads from it to an authority.
    chain: Vec<CertificateDer<'static>>,
    tls: Arc<Tls>,
    found: Mutex<Found>,
}

/// Why a certificate no longer says who a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// A certificate of its chain has come to its end.
    #[error("the client's certificate has expired: connect again with one that is valid")]
    Expired,
    /// The authorities were read anew, and none vouches for it.
    #[error(
        "the client's certificate is of no authority that this host trusts now: connect again with another"
    )]
    Untrusted,
}

/// What verifying it found, and for how long that holds.
struct Found {
    authorities: Arc<Authorities>,
    /// Seconds since 1970.
    until: u64,
    verdict: Result<(), Ended>,
}

// === impl Certificate ===

impl<P> Certificate<P> {
    /// One that these authorities have just vouched for.
    pub(super) fn new(
        tls: Arc<Tls>,
        authorities: Arc<Authorities>,
        chain: &[CertificateDer<'_>],
        principal: Option<P>,
    ) -> Self {
        let chain: Vec<_> = chain.iter().map(|one| one.clone().into_owned()).collect();
        // A session that is resumed is not verified: what has expired before is found
        // at the first request.
        let until = ends(&chain).min().unwrap_or_default();
        let found = Found {
            authorities,
            until,
            verdict: Ok(()),
        };
        Self {
            principal: principal.map(Arc::new),
            chain,
            tls,
            found: Mutex::new(found),
        }
    }

    /// Who the client is.
    pub fn principal(&self) -> Option<&Arc<P>> {
        self.principal.as_ref()
    }

    /// Whether it is still good, at `now` in seconds since 1970.
    ///
    /// # Errors
    /// Why it is not.
    pub fn stands(&self, now: u64) -> Result<(), Ended> {
        let current = self.tls.current.load();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let authorities = current.authorities.as_ref();
        let authorities = authorities.unwrap_or(&found.authorities).clone();
        let same = Arc::ptr_eq(&authorities, &found.authorities);
        if !same || (found.verdict.is_ok() && now > found.until) {
            *found = self.verify(authorities, now);
        }
        found.verdict
    }

    /// Whether it was found to be good no longer.
    pub fn has_ended(&self) -> bool {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.verdict.is_err()
    }

    fn verify(&self, authorities: Arc<Authorities>, now: u64) -> Found {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let verdict = match self.chain.split_first() {
            None => Err(Ended::Untrusted),
            Some((own, between)) => authorities
                .0
                .verify_client_cert(own, between, time)
                .map(drop)
                .map_err(|fault| Ended::of(&fault)),
        };
        // A certificate that nobody needs for the way up may have ended long ago.
        let until = ends(&self.chain).filter(|end| *end > now).min();
        Found {
            authorities,
            until: until.unwrap_or(now),
            verdict,
        }
    }
}

impl<P: fmt::Debug> fmt::Debug for Certificate<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let principal = &self.principal;
        f.debug_tuple("Certificate").field(principal).finish()
    }
}

// === impl Ended ===

impl Ended {
    fn of(fault: &rustls::Error) -> Self {
        use CertificateError::{Expired, ExpiredContext};
        match fault {
            rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => Self::Expired,
            _ => Self::Untrusted,
        }
    }
}

/// When each certificate ends, in seconds since 1970.
fn ends(chain: &[CertificateDer<'_>]) -> impl Iterator<Item = u64> {
    chain.iter().filter_map(|certificate| {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        Some(u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or_default())
    })
}
