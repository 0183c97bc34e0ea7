//! Public keys that change: read at the start, every few minutes, and when a token
//! names one that is not known.
//!
//! Where they can't be read, the last ones go on, over a restart, too: an issuer that is
//! away must not lock everybody out. But not for ever: it may have taken keys back that
//! others have. Their age is a metric, and each failure a warning.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::fetch::JwksFetcher;
use super::keys::{KeySet, read_jwks};

/// How soon tokens with unknown keys can have the keys read again: anybody can
/// make such tokens, and the issuer must not feel it.
const ASKED_AGAIN: Duration = Duration::from_secs(10);
/// The first pause after a failure; it doubles up to the usual interval.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The age of keys that were never read: older than any may be.
pub const NEVER: Duration = Duration::MAX;

/// The public keys of an issuer.
pub struct JwksCache {
    issuer: String,
    source: JwksSource,
    freshness: Freshness,
    current: ArcSwap<KeySet>,
    /// Held while they are read, so that they are read once.
    reading: tokio::sync::Mutex<Reading>,
    fresh: ArcSwap<ReadAt>,
}

/// When keys were last read well.
#[derive(Clone, Copy)]
struct ReadAt {
    since: Instant,
    /// How old they were then: those that were kept; [`NEVER`] while there are none.
    before: Duration,
}

/// Where an issuer publishes its keys.
pub enum JwksSource {
    /// In a file.
    File(PathBuf),
    /// At an address.
    Url {
        /// Reads them.
        fetcher: Box<JwksFetcher>,
        /// Where they are kept over a restart.
        store: Box<dyn JwksStore>,
    },
}

/// Keeps the last good keys of an issuer over a restart: it may be away just then.
pub trait JwksStore: Send + Sync {
    /// The document that was kept, and how old it is; `None` if none can be had.
    fn recall(&self) -> BoxFuture<'_, Option<(String, Duration)>>;

    /// Keeps a document that was read just now, as well as can be.
    fn keep<'a>(&'a self, document: &'a [u8]) -> BoxFuture<'a, ()>;
}

/// How old keys may be.
#[derive(Debug, Clone, Copy)]
pub struct Freshness {
    /// How often they are read again.
    pub refresh: Duration,
    /// Beyond this age they are believed no longer.
    pub max_stale: Duration,
}

#[derive(Default)]
struct Reading {
    /// Hash of the document that the current keys are from.
    document: Option<blake3::Hash>,
    /// When a token last had them read.
    asked: Option<Instant>,
}

/// Why keys could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the keys of {place} can't be read: {reason}")]
pub struct JwksError {
    place: String,
    reason: String,
}

impl JwksCache {
    /// Keys from a file, which is read at once, or from an address, which is not:
    /// a host starts whether or not its issuer is there, with the keys that it had.
    ///
    /// # Errors
    /// When the file can't be read or holds no keys.
    pub async fn open(
        issuer: &str,
        source: JwksSource,
        freshness: Freshness,
    ) -> Result<Self, JwksError> {
        let mut jwks = Self {
            issuer: issuer.to_owned(),
            source,
            freshness,
            current: ArcSwap::default(),
            reading: tokio::sync::Mutex::default(),
            fresh: ArcSwap::from_pointee(ReadAt::new(NEVER)),
        };
        match &jwks.source {
            JwksSource::File(path) => {
                let document = std::fs::read(path).map_err(|error| error.to_string());
                let begun = document.and_then(|document| jwks.begin(&document, Duration::ZERO));
                begun.map_err(|reason| jwks.source.error(reason))?;
            }
            JwksSource::Url { store, .. } => {
                let kept = store.recall().await;
                if let Some((document, age)) = kept {
                    match jwks.begin(document.as_bytes(), age) {
                        Ok(()) => {
                            tracing::info!("keys of {issuer}, {} s old, go on", age.as_secs())
                        }
                        Err(fault) => {
                            tracing::warn!("the kept keys of {issuer} are damaged: {fault}")
                        }
                    }
                }
            }
        }
        Ok(jwks)
    }

    /// Begins with keys that were read before.
    fn begin(&mut self, document: &[u8], age: Duration) -> Result<(), String> {
        let keys = read_jwks(document)?;
        self.reading.get_mut().document = Some(blake3::hash(document));
        let generation = 0;
        self.current.store(Arc::new(KeySet { keys, generation }));
        self.fresh.store(Arc::new(ReadAt::new(age)));
        Ok(())
    }

    /// Whose keys they are.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The keys that there are.
    pub(super) fn current(&self) -> Guard<Arc<KeySet>> {
        self.current.load()
    }

    /// Reads them now and then, for ever.
    pub async fn keep_fresh(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let outcome = self.read_again(&mut *self.reading.lock().await).await;
            let wait = match outcome {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    self.freshness.refresh
                }
                Err(error) => {
                    let age = self.age().as_secs();
                    if self.age() == NEVER {
                        tracing::error!("{error}; there are no keys yet: tokens are refused");
                    } else if self.is_stale() {
                        tracing::error!(
                            "{error}; the last ones, {age} s old, are too old by max_stale: tokens are refused"
                        );
                    } else {
                        tracing::warn!("{error}; the last ones, {age} s old, go on");
                    }
                    let wait = pause.min(self.freshness.refresh);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    wait
                }
            };
            sleep(wait).await;
        }
    }

    /// Reads them because a token names one that is not known, but not more often
    /// than the issuer can bear. Who comes while they are read waits for that.
    ///
    /// A client that takes its request back does not stop it: others wait for it.
    pub(super) async fn look_for_new(self: &Arc<Self>) {
        let jwks = self.clone();
        let looked = tokio::spawn(async move { jwks.look_once().await });
        if let Err(fault) = looked.await {
            tracing::error!("looking for new keys failed: {fault}");
        }
    }

    async fn look_once(&self) {
        let known = self.current().generation;
        let mut reading = self.reading.lock().await;
        let soon = |asked: Instant| asked.elapsed() < ASKED_AGAIN;
        if self.current().generation != known || reading.asked.is_some_and(soon) {
            return;
        }
        reading.asked = Some(Instant::now());
        if let Err(error) = self.read_again(&mut reading).await {
            tracing::warn!("{error}; a token asked for a key that is not known");
        }
    }

    /// How old the keys are; [`NEVER`] before any were read.
    pub fn age(&self) -> Duration {
        let fresh = self.fresh.load();
        fresh.before.saturating_add(fresh.since.elapsed())
    }

    /// Whether they are too old to be believed.
    pub(super) fn is_stale(&self) -> bool {
        self.age() > self.freshness.max_stale
    }

    async fn read_again(&self, reading: &mut Reading) -> Result<(), JwksError> {
        let document = self.source.read().await;
        let document = document.map_err(|reason| self.source.error(reason))?;
        let hash = blake3::hash(&document);
        let changed = match reading.document == Some(hash) {
            true => None,
            false => Some(read_jwks(&document).map_err(|reason| self.source.error(reason))?),
        };
        // First on disk: what a token was accepted with is there after a crash.
        if let JwksSource::Url { store, .. } = &self.source {
            store.keep(&document).await;
        }
        if let Some(keys) = changed {
            let generation = self.current().generation + 1;
            let count = keys.len();
            self.current.store(Arc::new(KeySet { keys, generation }));
            reading.document = Some(hash);
            tracing::info!("{count} keys read from {}", self.source);
        }
        self.fresh.store(Arc::new(ReadAt::new(Duration::ZERO)));
        Ok(())
    }
}

impl ReadAt {
    fn new(before: Duration) -> Self {
        Self {
            since: Instant::now(),
            before,
        }
    }
}

impl JwksSource {
    async fn read(&self) -> Result<Bytes, String> {
        match self {
            Self::File(path) => {
                let read = tokio::fs::read(path).await;
                read.map(Bytes::from).map_err(|error| error.to_string())
            }
            Self::Url { fetcher, .. } => fetcher.fetch().await,
        }
    }

    fn error(&self, reason: String) -> JwksError {
        JwksError {
            place: self.to_string(),
            reason,
        }
    }
}

impl fmt::Display for JwksSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url { fetcher, .. } => write!(f, "{fetcher}"),
        }
    }
}
