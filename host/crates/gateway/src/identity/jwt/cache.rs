//! What the full check of a token found, so that it is made once.
//!
//! A hit costs a hash of the token and a look-up. Tokens themselves are not kept:
//! the key of an entry is a hash under a secret of this process.

use std::hash::{BuildHasher, Hasher};
use std::mem::size_of;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache as Entries;

use stoa_call::Principal;

/// Memory for what was found, in bytes: some ten thousand callers.
const ROOM: u64 = 16 << 20;
/// An entry that nobody asks for goes after this; a token that comes back is
/// checked again.
const IDLE: Duration = Duration::from_secs(600);
/// What an entry costs beside its texts, in bytes.
const OVERHEAD: usize = 256;

/// Hash of a token.
pub(super) type TokenHash = [u8; blake3::OUT_LEN];

/// A token that was found to be valid.
#[derive(Debug)]
pub(super) struct Verified {
    /// Whose it is.
    pub(super) principal: Arc<Principal>,
    /// When it stops being valid, skew included. Seconds since 1970.
    pub(super) until: u64,
    /// What it was checked with.
    pub(super) generation: Generation,
}

/// Which keys a token was checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// The host's own, which never changes.
    Development,
    /// Of a trusted issuer: its place among them, and how many sets of keys came before.
    Trusted(usize, u64),
}

/// Valid tokens.
pub(super) struct Cache {
    entries: Entries<TokenHash, Arc<Verified>, FirstBytes>,
    secret: [u8; blake3::KEY_LEN],
}

impl Cache {
    /// # Errors
    /// When the system gives no random bytes.
    pub(super) fn new() -> anyhow::Result<Self> {
        let mut secret = [0; blake3::KEY_LEN];
        getrandom::fill(&mut secret)
            .map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
        let entries = Entries::builder()
            .max_capacity(ROOM)
            .weigher(|_, verified: &Arc<Verified>| weight(&verified.principal))
            .time_to_idle(IDLE)
            .build_with_hasher(FirstBytes);
        Ok(Self { entries, secret })
    }

    pub(super) fn hash(&self, token: &str) -> TokenHash {
        *blake3::keyed_hash(&self.secret, token.as_bytes()).as_bytes()
    }

    /// What is known of a token, unless it has expired.
    pub(super) fn get(&self, hash: &TokenHash, now: u64) -> Option<Arc<Verified>> {
        self.entries.get(hash).filter(|known| now <= known.until)
    }

    pub(super) fn keep(&self, hash: TokenHash, verified: &Arc<Verified>) {
        self.entries.insert(hash, verified.clone());
    }
}

fn weight(principal: &Principal) -> u32 {
    let claims = principal
        .claims
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2 * size_of::<String>());
    let scopes = principal
        .scopes
        .iter()
        .map(|scope| scope.len() + size_of::<String>());
    let texts = principal.subject.len() + claims.sum::<usize>() + scopes.sum::<usize>();
    u32::try_from(OVERHEAD + texts).unwrap_or(u32::MAX)
}

/// Hashes what is a hash already.
#[derive(Clone, Default)]
struct FirstBytes;

struct FirstBytesHasher(u64);

impl BuildHasher for FirstBytes {
    type Hasher = FirstBytesHasher;

    fn build_hasher(&self) -> FirstBytesHasher {
        FirstBytesHasher(0)
    }
}

impl Hasher for FirstBytesHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 ^= u64::from_ne_bytes(*first);
        }
    }

    /// The length, which is always the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_there_until_its_token_expires() {
        let cache = Cache::new().unwrap();
        let (hash, other) = (cache.hash("token"), cache.hash("tokem"));
        let verified = Arc::new(Verified {
            principal: Arc::default(),
            until: 100,
            generation: Generation::Development,
        });
        cache.keep(hash, &verified);
        assert!(cache.get(&hash, 100).is_some());
        assert!(cache.get(&hash, 101).is_none());
        assert!(cache.get(&other, 100).is_none());
    }

    #[test]
    fn hashes_spread() {
        let cache = Cache::new().unwrap();
        let hashes: std::collections::HashSet<_> = (0..1000)
            .map(|n| FirstBytes.hash_one(cache.hash(&n.to_string())))
            .collect();
        assert_eq!(hashes.len(), 1000);
    }
}
