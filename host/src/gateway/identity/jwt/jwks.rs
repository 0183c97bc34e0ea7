//! Public keys that change: read at the start, every few minutes, and when a token
//! names one that is not known.
//!
//! Where they can't be read, the last ones go on: an issuer that is away must not
//! lock everybody out. Their age is a metric, and each failure a warning.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use tokio::time::{Instant, sleep};

use super::fetch::Fetcher;
use super::keys::{KeySet, read_jwks};
use crate::config;

/// How soon tokens with unknown keys can have the keys read again: anybody can
/// make such tokens, and the issuer must not feel it.
const ASKED_AGAIN: Duration = Duration::from_secs(10);
/// The first pause after a failure; it doubles up to the usual interval.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The public keys of an issuer.
pub struct Jwks {
    source: Source,
    every: Duration,
    current: ArcSwap<KeySet>,
    /// Held while they are read, so that they are read once.
    reading: tokio::sync::Mutex<Reading>,
    /// When they were last read well; the start, before they ever were.
    fresh: ArcSwap<Instant>,
}

enum Source {
    File(PathBuf),
    Url(Box<Fetcher>),
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

impl Jwks {
    /// Keys from a file, which is read at once, or from an address, which is not:
    /// a host starts whether or not its issuer is there.
    ///
    /// # Errors
    /// When the file can't be read or holds no keys.
    pub(super) fn open(from: &config::Jwks, every: Duration) -> anyhow::Result<Self> {
        let source = match from {
            config::Jwks::File(path) => Source::File(path.clone()),
            config::Jwks::Url(url) => Source::Url(Box::new(Fetcher::new(url)?)),
        };
        let mut reading = Reading::default();
        let mut first = KeySet::default();
        if let Source::File(path) = &source {
            let document = std::fs::read(path).map_err(|error| error.to_string());
            let keys = document.and_then(|document| {
                reading.document = Some(blake3::hash(&document));
                read_jwks(&document)
            });
            first.keys = keys.map_err(|reason| source.error(reason))?;
        }
        Ok(Self {
            source,
            every,
            current: ArcSwap::from_pointee(first),
            reading: tokio::sync::Mutex::new(reading),
            fresh: ArcSwap::from_pointee(Instant::now()),
        })
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
                    self.every
                }
                Err(error) => {
                    let age = self.age().as_secs();
                    tracing::warn!("{error}; the last ones, {age} s old, go on");
                    let wait = pause.min(self.every);
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

    /// How old the keys are.
    pub fn age(&self) -> Duration {
        self.fresh.load().elapsed()
    }

    async fn read_again(&self, reading: &mut Reading) -> Result<(), JwksError> {
        let document = self.source.read().await;
        let document = document.map_err(|reason| self.source.error(reason))?;
        let hash = blake3::hash(&document);
        if reading.document != Some(hash) {
            let keys = read_jwks(&document).map_err(|reason| self.source.error(reason))?;
            let generation = self.current().generation + 1;
            let count = keys.len();
            self.current.store(Arc::new(KeySet { keys, generation }));
            reading.document = Some(hash);
            tracing::info!("{count} keys read from {}", self.source);
        }
        self.fresh.store(Arc::new(Instant::now()));
        Ok(())
    }
}

impl Source {
    async fn read(&self) -> Result<Bytes, String> {
        match self {
            Self::File(path) => {
                let read = tokio::fs::read(path).await;
                read.map(Bytes::from).map_err(|error| error.to_string())
            }
            Self::Url(fetcher) => fetcher.fetch().await,
        }
    }

    fn error(&self, reason: String) -> JwksError {
        JwksError {
            place: self.to_string(),
            reason,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(fetcher) => write!(f, "{fetcher}"),
        }
    }
}

/// The age of an issuer's keys, as a metric.
#[derive(Clone)]
pub struct Age(pub Arc<Jwks>);

impl fmt::Debug for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Age").field(&self.0.age()).finish()
    }
}

impl Collector for Age {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let age = ConstGauge::new(self.0.age().as_secs_f64());
        let help = "Time since the issuer's keys were last read well.";
        let unit = Some(&Unit::Seconds);
        let family = encoder.encode_descriptor("stoa_jwks_age", help, unit, age.metric_type())?;
        age.encode(family)
    }
}
