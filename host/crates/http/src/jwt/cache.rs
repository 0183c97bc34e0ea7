//! What the full check of a token found, so that it is made once.
//!
//! A hit costs a hash of the token and a look-up. Tokens themselves are not kept:
//! the key of an entry is a hash under a secret of this process. `V` is what was found;
//! who asks judges whether it still holds.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

/// Memory for what was found, in bytes: some ten thousand callers.
const ROOM: u64 = 16 << 20;
/// An entry that nobody asks for goes after this; a token that comes back is
/// checked again.
const IDLE: Duration = Duration::from_secs(600);
/// What an entry costs beside its texts, in bytes.
const OVERHEAD: usize = 256;

/// Hash of a token.
pub type TokenHash = [u8; blake3::OUT_LEN];

/// What was found of tokens.
pub struct TokenCache<V> {
    entries: Cache<TokenHash, Arc<V>, FirstBytes>,
    secret: [u8; blake3::KEY_LEN],
}

impl<V: Send + Sync + 'static> TokenCache<V> {
    /// Nothing so far. `size` is what its texts take, in bytes.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(size: fn(&V) -> usize) -> anyhow::Result<Self> {
        let mut secret = [0; blake3::KEY_LEN];
        getrandom::fill(&mut secret)
            .map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
        let entries = Cache::builder()
            .max_capacity(ROOM)
            .weigher(move |_, found: &Arc<V>| {
                u32::try_from(OVERHEAD + size(found)).unwrap_or(u32::MAX)
            })
            .time_to_idle(IDLE)
            .build_with_hasher(FirstBytes);
        Ok(Self { entries, secret })
    }

    /// By which a token is known here.
    pub fn hash(&self, token: &str) -> TokenHash {
        *blake3::keyed_hash(&self.secret, token.as_bytes()).as_bytes()
    }

    /// What was found of a token.
    pub fn get(&self, hash: &TokenHash) -> Option<Arc<V>> {
        self.entries.get(hash)
    }

    /// Keeps what was found of a token.
    pub fn keep(&self, hash: TokenHash, found: &Arc<V>) {
        self.entries.insert(hash, found.clone());
    }
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
    fn what_was_found_of_a_token_is_of_no_other() {
        let cache = TokenCache::new(|found: &String| found.len()).unwrap();
        let (hash, other) = (cache.hash("token"), cache.hash("tokem"));
        cache.keep(hash, &Arc::new("alice".to_owned()));
        assert_eq!(*cache.get(&hash).unwrap(), "alice");
        assert!(cache.get(&other).is_none());
    }

    #[test]
    fn hashes_spread() {
        let cache = TokenCache::new(|_: &()| 0).unwrap();
        let hashes: std::collections::HashSet<_> = (0..1000)
            .map(|n| FirstBytes.hash_one(cache.hash(&n.to_string())))
            .collect();
        assert_eq!(hashes.len(), 1000);
    }
}
