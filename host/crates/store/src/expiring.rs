//! What the host keeps for a time.

use std::time::SystemTime;

use super::Reply;

/// Where something is kept: whose it is, and a hash of what it is about.
pub type KeyDigest = [u8; 32];

/// How many bytes of a place say whose it is.
pub const OWNER: usize = 8;

/// Bytes that go by themselves, durable until then.
///
/// Meant for many small things that the host must still know after a crash, such
/// as answers that may be asked for again.
pub trait Expiring: Send + Sync {
    /// What is kept at `place`, unless its time is over at `now`.
    fn get<'a>(&'a self, place: &'a KeyDigest, now: SystemTime) -> Reply<'a, Option<Vec<u8>>>;

    /// Keeps `value` at `place` until then, over what is there. All of it is
    /// there after a crash, or nothing.
    fn put<'a>(&'a self, place: &'a KeyDigest, value: &'a [u8], until: SystemTime)
    -> Reply<'a, ()>;

    /// Removes what was kept until `now` or less, `most` things at most. Says how
    /// many there were.
    fn sweep(&self, now: SystemTime, most: usize) -> Reply<'_, usize>;

    /// Removes what ends first, `most` things at most, until what is left takes
    /// about `bytes` or less. Says how many there were.
    fn bound(&self, bytes: u64, most: usize) -> Reply<'_, usize>;

    /// About what all of it takes, in bytes.
    fn size(&self) -> u64;

    /// Removes all that is an owner's.
    fn purge(&self, owner: [u8; OWNER]) -> Reply<'_, ()>;
}
