//! Buckets of keys and values.

use super::{Reply, StoreError};

/// Longest key, in bytes: longer than any name or path, and a page of such keys is small.
pub const MAX_KEY: usize = 4 << 10;

/// Longest value, in bytes: the most that brokers are advised to take in one piece.
/// Documents and images fit; files belong in a blob store.
pub const MAX_VALUE: usize = 8 << 20;

/// Keys and values in buckets, durable.
///
/// A key is any text of up to [`MAX_KEY`] bytes, also an empty one or one with control
/// characters; an engine whose own keys are shorter or of fewer characters writes it in
/// another form, and lists it as it was.
///
/// A caller is who uses one and the same `KeyValue`: all guests of a host. What it reads
/// of a key is what its last acknowledged write of that key left there, or something
/// newer, and never older than what it has read there before. What others wrote it may
/// read later, of one key sooner than of another. But [`Self::increment`] and
/// [`Self::compare_and_swap`] find what is there, whoever wrote it.
///
/// A write is done when its reply is: then it is on disk. Dropping a reply that was
/// polled does not take the write back.
///
/// # Errors
/// Every method gives [`StoreError`] when the engine fails; after an error a write may
/// have been made or not. [`StoreError::TooLarge`] for a key over [`MAX_KEY`] or a value
/// over [`MAX_VALUE`].
pub trait KeyValue: Send + Sync {
    /// The value at `key`.
    fn get<'a>(&'a self, bucket: &'a BucketId, key: &'a str) -> Reply<'a, Option<Vec<u8>>>;

    /// Writes `value` at `key`, over what is there.
    fn set<'a>(&'a self, bucket: &'a BucketId, key: &'a str, value: &'a [u8]) -> Reply<'a, ()>;

    /// Removes `key`; nothing happens when it is not there.
    fn delete<'a>(&'a self, bucket: &'a BucketId, key: &'a str) -> Reply<'a, ()>;

    /// Whether there is a value at `key`.
    fn exists<'a>(&'a self, bucket: &'a BucketId, key: &'a str) -> Reply<'a, bool>;

    /// At most `limit` (at least 1) keys after `cursor`, in the order of their
    /// bytes. A key that is there for this caller during the whole listing comes
    /// exactly once, whatever is written meanwhile.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`] for what can't be the cursor of a [`Page`].
    fn list<'a>(
        &'a self,
        bucket: &'a BucketId,
        cursor: Option<&'a str>,
        limit: usize,
    ) -> Reply<'a, Page>;

    /// Adds `delta` to the number at `key` (0 when nothing is there) and returns
    /// the sum. After an error it may have been added: to ask again may add twice,
    /// where the same [`Self::compare_and_swap`] again does not. Numbers are kept
    /// as decimal text, `-17`: a plain `get` reads them and a plain `set` makes
    /// them, in every language.
    ///
    /// # Errors
    /// [`StoreError::NotANumber`], [`StoreError::Overflow`]; the value stays.
    fn increment<'a>(&'a self, bucket: &'a BucketId, key: &'a str, delta: i64) -> Reply<'a, i64>;

    /// Writes `new` at `key` if what is there equals `expected` (`None`: nothing
    /// is there), else returns what is there.
    fn compare_and_swap<'a>(
        &'a self,
        bucket: &'a BucketId,
        key: &'a str,
        expected: Option<&'a [u8]>,
        new: &'a [u8],
    ) -> Reply<'a, Result<(), Current>>;

    /// The values at `keys`, in their order.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] when the values have more than `room` bytes.
    fn get_many<'a>(
        &'a self,
        bucket: &'a BucketId,
        keys: &'a [String],
        room: usize,
    ) -> Reply<'a, Vec<Option<Vec<u8>>>>;

    /// Writes all pairs and waits for the disk once. Not atomic: after an error
    /// some may be written.
    fn set_many<'a>(
        &'a self,
        bucket: &'a BucketId,
        pairs: &'a [(String, Vec<u8>)],
    ) -> Reply<'a, ()>;

    /// Removes all keys and waits for the disk once. Not atomic, as `set_many`.
    fn delete_many<'a>(&'a self, bucket: &'a BucketId, keys: &'a [String]) -> Reply<'a, ()>;

    /// Removes every bucket of `service`. Not atomic; what is written meanwhile may stay.
    ///
    /// # Errors
    /// [`StoreError::BadName`] for what can't be a service's name.
    fn purge<'a>(&'a self, service: &'a str) -> Reply<'a, ()>;
}

/// A bucket's address: the service that owns it, and its name there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BucketId {
    service: String,
    name: String,
}

/// What is at a key whose swap was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current(pub Option<Vec<u8>>);

/// A part of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Keys, in the order of their bytes.
    pub keys: Vec<String>,
    /// Where the next page begins; `None` after the last. Opaque.
    pub cursor: Option<String>,
}

// === impl BucketId ===

impl BucketId {
    /// Longest service or bucket name, in bytes: what file systems and brokers
    /// take for a name.
    pub const MAX_NAME: usize = 255;

    /// The bucket `name` of `service`.
    ///
    /// # Errors
    /// [`StoreError::BadName`] when either is empty, too long, or holds a control
    /// character or `/`, which separate names where they are stored or written.
    pub fn new(service: impl Into<String>, name: impl Into<String>) -> Result<Self, StoreError> {
        Ok(Self {
            service: checked(service.into())?,
            name: checked(name.into())?,
        })
    }

    /// The service that owns the bucket.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The bucket's name in its service.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Display for BucketId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.service, self.name)
    }
}

pub(crate) fn checked(name: String) -> Result<String, StoreError> {
    let fits = (1..=BucketId::MAX_NAME).contains(&name.len());
    if fits && !name.chars().any(|c| c.is_control() || c == '/') {
        Ok(name)
    } else {
        Err(StoreError::BadName { found: name })
    }
}

/// Whether `key` may be one.
///
/// # Errors
/// [`StoreError::TooLarge`].
pub(crate) fn check_key(key: &str) -> Result<(), StoreError> {
    within(MAX_KEY, key.len())
}

/// Whether `value` may be one.
///
/// # Errors
/// [`StoreError::TooLarge`].
pub(crate) fn check_value(value: &[u8]) -> Result<(), StoreError> {
    within(MAX_VALUE, value.len())
}

fn within(limit: usize, found: usize) -> Result<(), StoreError> {
    let fits = (found <= limit).then_some(());
    fits.ok_or(StoreError::TooLarge { limit })
}

/// What [`KeyValue::increment`] writes over `value`.
///
/// # Errors
/// [`StoreError::NotANumber`], [`StoreError::Overflow`].
pub(crate) fn sum(key: &str, value: Option<&[u8]>, delta: i64) -> Result<i64, StoreError> {
    let current = value.map_or(Ok(0), |value| number(key, value))?;
    let sum = current.checked_add(delta);
    sum.ok_or_else(|| StoreError::Overflow {
        key: key.to_owned(),
        current,
        delta,
    })
}

fn number(key: &str, value: &[u8]) -> Result<i64, StoreError> {
    let text = std::str::from_utf8(value).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| StoreError::NotANumber {
            key: key.to_owned(),
            found: match text {
                Some(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
                None => format!("{} bytes that are no text", value.len()),
            },
        })
}
