//! The last good keys of an issuer, kept over a restart: it may be away just then.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use stoa_http::client::now;
use stoa_http::jwt::JwksStore;
use stoa_store::Records;

/// Kind of the records.
const KIND: &str = "jwks";

/// The place of one issuer's keys.
pub(super) struct JwksRecords {
    records: Arc<dyn Records>,
    /// Stands for the issuer and the address: keys of another are not its own.
    key: String,
}

#[derive(Serialize, Deserialize)]
struct KeptDocument {
    /// When the keys were read, in seconds since 1970.
    read: u64,
    /// As they were published, RFC 7517 section 5.
    document: String,
}

impl JwksRecords {
    pub(super) fn new(records: Arc<dyn Records>, issuer: &str, url: &str) -> Self {
        // Neither has a line's end in it.
        let key = blake3::hash(format!("{issuer}\n{url}").as_bytes());
        Self {
            records,
            key: key.to_hex().to_string(),
        }
    }

    /// The document that was kept, and how old it is at `now`.
    async fn read(&self, now: u64) -> Option<(String, Duration)> {
        let kept: Option<KeptDocument> = match self.records.read(KIND, &self.key).await {
            Ok(kept) => kept,
            Err(fault) => {
                tracing::warn!("the keys that were kept of an issuer can't be read: {fault}");
                None
            }
        };
        let kept = kept?;
        // Of the future: a clock was set back, and nobody knows how old it is.
        let age = now.checked_sub(kept.read)?;
        Some((kept.document, Duration::from_secs(age)))
    }

    async fn write(&self, document: &[u8], now: u64) {
        let record = KeptDocument {
            read: now,
            document: String::from_utf8_lossy(document).into_owned(),
        };
        let record = serde_json::to_value(record);
        let record = record.expect("a number and a string are always JSON");
        if let Err(fault) = self.records.put(KIND, &self.key, record).await {
            tracing::warn!("the keys of an issuer can't be kept for the next start: {fault}");
        }
    }
}

impl JwksStore for JwksRecords {
    fn recall(&self) -> BoxFuture<'_, Option<(String, Duration)>> {
        self.read(now()).boxed()
    }

    fn keep<'a>(&'a self, document: &'a [u8]) -> BoxFuture<'a, ()> {
        self.write(document, now()).boxed()
    }
}
