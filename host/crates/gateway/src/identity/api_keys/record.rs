//! One API key: as it is stored, and as requests are checked against it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use stoa_api::{KeyRequest, KeySummary};
use stoa_call::Principal;

/// Where the year 10 000 begins, which RFC 3339 can't write. Seconds since 1970.
const END_OF_TIME: u64 = 253_402_300_800;

/// A key as it is stored: all but its secret. Times are seconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    name: String,
    scopes: Vec<String>,
    created: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    /// Hash of the secret, in hex.
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used: Option<u64>,
}

/// A key as it is used.
pub(super) struct ApiKey {
    pub(super) id: String,
    pub(super) principal: Arc<Principal>,
    record: Record,
    hash: blake3::Hash,
    /// Seconds since 1970; 0 is never.
    last_used: AtomicU64,
    /// The last use that is on disk.
    written: AtomicU64,
}

impl Record {
    pub(super) fn new(request: KeyRequest, secret: &str, now: u64) -> Self {
        Self {
            name: request.name,
            scopes: request.scopes,
            created: now,
            expires: request
                .expires
                .map(|after| now.saturating_add(after.as_secs())),
            hash: blake3::hash(secret.as_bytes()).to_hex().to_string(),
            last_used: None,
        }
    }
}

impl ApiKey {
    /// `None` when the record is none of a key.
    pub(super) fn new(id: &str, record: Record) -> Option<Self> {
        let times = [Some(record.created), record.expires, record.last_used];
        if times.into_iter().flatten().any(|time| time >= END_OF_TIME) {
            return None;
        }
        let principal = Principal {
            // The colon keeps it apart from the names that people have.
            subject: format!("key:{id}"),
            scopes: record.scopes.clone(),
            claims: vec![("key_name".to_owned(), record.name.clone())],
        };
        let used = record.last_used.unwrap_or_default();
        Some(Self {
            id: id.to_owned(),
            principal: Arc::new(principal),
            hash: blake3::Hash::from_hex(&record.hash).ok()?,
            record,
            last_used: AtomicU64::new(used),
            written: AtomicU64::new(used),
        })
    }

    pub(super) fn created(&self) -> u64 {
        self.record.created
    }

    /// Takes the same time whatever the secret is.
    pub(super) fn is_opened_by(&self, secret: &str) -> bool {
        blake3::hash(secret.as_bytes()) == self.hash
    }

    /// Whether it has not expired.
    pub(super) fn is_young(&self, now: u64) -> bool {
        self.record.expires.is_none_or(|expires| now < expires)
    }

    /// Remembers that it was used.
    pub(super) fn used(&self, now: u64) {
        // Once a second: a busy key would be written to by every thread.
        if self.last_used.load(Ordering::Relaxed) < now {
            self.last_used.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// The record with the last use, when that is not on disk yet.
    pub(super) fn take_use(&self) -> Option<Record> {
        let used = self.last_used.load(Ordering::Relaxed);
        (self.written.swap(used, Ordering::Relaxed) < used).then(|| Record {
            last_used: Some(used),
            ..self.record.clone()
        })
    }

    pub(super) fn summary(&self) -> KeySummary {
        let used = Some(self.last_used.load(Ordering::Relaxed)).filter(|used| *used > 0);
        KeySummary {
            id: self.id.clone(),
            name: self.record.name.clone(),
            scopes: self.record.scopes.clone(),
            created: rfc3339(self.record.created),
            expires: self.record.expires.map(rfc3339),
            last_used: used.map(rfc3339),
        }
    }
}

fn rfc3339(seconds: u64) -> String {
    let seconds = seconds.min(END_OF_TIME - 1);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}
