//! Which keys are under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Fault;
use stoa_store::KeyDigest;

/// Keys whose first request is being answered, with what it asks for.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<HashMap<KeyDigest, KeyDigest>>);

/// The right to answer a key; given back when dropped.
#[derive(Debug)]
pub(super) struct Claim {
    claims: Arc<Claims>,
    pub(super) place: KeyDigest,
    pub(super) fingerprint: KeyDigest,
}

impl Claims {
    /// Refuses a request whose key another has.
    pub(super) fn check(&self, place: &KeyDigest, fingerprint: &KeyDigest) -> Result<(), Fault> {
        match self.lock().get(place) {
            None => Ok(()),
            Some(first) if first == fingerprint => Err(Fault::InFlight),
            Some(_) => Err(Fault::Mismatch),
        }
    }

    /// Takes a key, unless another has it.
    pub(super) fn claim(
        self: &Arc<Self>,
        place: KeyDigest,
        fingerprint: KeyDigest,
    ) -> Result<Claim, Fault> {
        // Two requests at once: whoever comes second finds the first here.
        let mut claims = self.lock();
        match claims.get(&place) {
            None => claims.insert(place, fingerprint),
            Some(first) if *first == fingerprint => return Err(Fault::InFlight),
            Some(_) => return Err(Fault::Mismatch),
        };
        drop(claims);
        Ok(Claim {
            claims: self.clone(),
            place,
            fingerprint,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyDigest, KeyDigest>> {
        // Nothing runs under the lock but a look-up or an insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_has_a_key_until_it_lets_go() {
        let claims = Arc::new(Claims::default());
        let claim = claims.claim([1; 32], [2; 32]).unwrap();
        assert_eq!(claims.claim([1; 32], [2; 32]).unwrap_err(), Fault::InFlight);
        assert_eq!(
            claims.check(&[1; 32], &[3; 32]).unwrap_err(),
            Fault::Mismatch
        );
        assert!(claims.claim([4; 32], [2; 32]).is_ok());
        drop(claim);
        assert!(claims.check(&[1; 32], &[3; 32]).is_ok());
    }
}
