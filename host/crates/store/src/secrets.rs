//! Secrets: values that go in and come out again only to who was granted them.
//!
//! On disk and in memory they are sealed (AES-256-GCM) with a key of the host,
//! each under a nonce of its own and bound to its name and version: one record
//! can't be put in the place of another. A value is opened for the moment in
//! which it is read. Knows nothing of grants.

mod key;
mod seal;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use self::key::KeyFile;
use self::seal::{Key, Sealed};
use super::{Change, Records, StoreError};
use stoa_settings::config::faults::meant;
use stoa_settings::secret_name;

pub use self::seal::Secret;

/// The kind of a secret's record.
const KIND: &str = "secret";
/// The kind of the record that says which key they are sealed with.
const KEY_KIND: &str = "secret-key";
/// Its only key.
const CURRENT: &str = "current";
/// Bytes of a value at most: keys, tokens and certificates are far smaller.
pub const LONGEST: usize = 64 << 10;

/// The secrets of a host.
pub struct Secrets {
    records: Arc<dyn Records>,
    file: KeyFile,
    held: ArcSwap<Held>,
    /// One change at a time.
    change: Mutex<()>,
}

/// What is known of a secret, apart from its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretInfo {
    /// Its name.
    pub name: String,
    /// Counts its values from 1.
    pub version: u64,
    /// When this value was set, RFC 3339.
    pub set: String,
}

/// Why secrets can't be used. Never says a value.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// Not a name.
    #[error("{0}")]
    Name(String),
    /// Not a value that can be kept.
    #[error("the value of a secret must be UTF-8 text of 1 to {LONGEST} bytes: {0}")]
    Value(&'static str),
    /// There is no such secret.
    #[error("there is no secret {name:?}{hint}")]
    Missing {
        /// What was asked for.
        name: String,
        /// What may have been meant.
        hint: String,
    },
    /// The key's file can't be used.
    #[error("{0}")]
    Key(String),
    /// A secret does not open with the key: its record is damaged or was moved.
    #[error("the secret {0:?} is damaged: set it again")]
    Damaged(String),
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Default)]
struct Held {
    /// `None` until the first secret is set.
    key: Option<Arc<Key>>,
    sealed: BTreeMap<String, Entry>,
}

/// A secret's record.
#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    version: u64,
    set: String,
    #[serde(flatten)]
    sealed: Sealed,
}

#[derive(Serialize, Deserialize)]
struct KeyRecord {
    fingerprint: String,
}

impl Secrets {
    /// Secrets in these records, sealed with the key in this file. [`Secrets::load`]
    /// brings back those that are there.
    pub fn new(records: Arc<dyn Records>, key_file: PathBuf) -> Self {
        Self {
            records,
            file: KeyFile::new(key_file),
            held: ArcSwap::default(),
            change: Mutex::default(),
        }
    }

    /// Reads what is on disk, and the key for it.
    ///
    /// # Errors
    /// When there are secrets and the key's file is missing, open to others, or of
    /// another key.
    pub async fn load(&self) -> Result<(), SecretsError> {
        let sealed: BTreeMap<String, Entry> =
            self.records.read_all(KIND).await?.into_iter().collect();
        let record: Option<KeyRecord> = self.records.read(KEY_KIND, CURRENT).await?;
        let fingerprint = record
            .filter(|_| !sealed.is_empty())
            .map(|record| record.fingerprint);
        let key = self.file.find(fingerprint.as_deref())?;
        self.held.store(Arc::new(Held {
            key: key.map(Arc::new),
            sealed,
        }));
        Ok(())
    }

    /// All secrets, by name.
    pub fn list(&self) -> Vec<SecretInfo> {
        let held = self.held.load();
        held.sealed
            .iter()
            .map(|(name, entry)| entry.info(name))
            .collect()
    }

    /// The value of a secret, if it is set.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn reveal(&self, name: &str) -> Result<Option<Secret>, SecretsError> {
        let held = self.held.load();
        match (held.sealed.get(name), &held.key) {
            (Some(entry), Some(key)) => key
                .open(name, entry.version, &entry.sealed)
                .map(Some)
                .ok_or_else(|| SecretsError::Damaged(name.to_owned())),
            _ => Ok(None),
        }
    }

    /// Sets a secret; the next read sees it.
    ///
    /// # Errors
    /// When name or value can't be one, or the key can't be made or the record not
    /// be written.
    pub async fn set(&self, name: &str, value: &[u8]) -> Result<SecretInfo, SecretsError> {
        secret_name(name).map_err(SecretsError::Name)?;
        check_value(value)?;
        let _one_at_a_time = self.change.lock().await;
        let held = self.held.load_full();
        let key = match &held.key {
            Some(key) => key.clone(),
            None => Arc::new(self.file.make()?),
        };
        let version = held.sealed.get(name).map_or(0, |entry| entry.version) + 1;
        let entry = Entry {
            version,
            set: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            sealed: key.seal(name, version, value),
        };
        let mut sealed = held.sealed.clone();
        sealed.insert(name.to_owned(), entry.clone());
        self.keep(&key, [(name, &entry)].into_iter()).await?;
        self.held.store(Arc::new(Held {
            key: Some(key),
            sealed,
        }));
        Ok(entry.info(name))
    }

    /// Removes a secret.
    ///
    /// # Errors
    /// When there is none, or the disk fails.
    pub async fn remove(&self, name: &str) -> Result<(), SecretsError> {
        let _one_at_a_time = self.change.lock().await;
        let held = self.held.load_full();
        let mut sealed = held.sealed.clone();
        if sealed.remove(name).is_none() {
            let known = held.sealed.keys().map(String::as_str);
            return Err(SecretsError::Missing {
                name: name.to_owned(),
                hint: meant(name, known, "`stoa secret ls` lists those that are set"),
            });
        }
        self.records.remove(KIND, name).await?;
        let key = held.key.clone();
        self.held.store(Arc::new(Held { key, sealed }));
        Ok(())
    }

    /// Seals all secrets with a new key; how many. A crash on the way leaves the old
    /// key with the old records or the new one with the new.
    ///
    /// # Errors
    /// When a secret is damaged, or the disk fails. The old key stays then.
    pub async fn rotate_key(&self) -> Result<usize, SecretsError> {
        let _one_at_a_time = self.change.lock().await;
        let held = self.held.load_full();
        let (next, key) = self.file.make_next()?;
        let mut sealed = held.sealed.clone();
        for (name, entry) in &mut sealed {
            let value = self
                .reveal(name)?
                .ok_or_else(|| SecretsError::Damaged(name.clone()))?;
            entry.sealed = key.seal(name, entry.version, value.bytes());
        }
        let entries = sealed.iter().map(|(name, entry)| (name.as_str(), entry));
        // From here on the disk may have what only the new key opens, whatever comes
        // back: the next start finds out which of the two it is.
        let next = next.stay();
        self.keep(&key, entries).await?;
        next.take_over()?;
        let count = sealed.len();
        self.held.store(Arc::new(Held {
            key: Some(Arc::new(key)),
            sealed,
        }));
        Ok(count)
    }

    /// Writes entries, and which key they are sealed with, all or none.
    async fn keep<'e>(
        &self,
        key: &Key,
        entries: impl Iterator<Item = (&'e str, &'e Entry)>,
    ) -> Result<(), SecretsError> {
        let record = KeyRecord {
            fingerprint: key.fingerprint().to_owned(),
        };
        let mut changes = vec![Change::put(KEY_KIND, CURRENT, &record).map_err(no_json)?];
        for (name, entry) in entries {
            changes.push(Change::put(KIND, name, entry).map_err(no_json)?);
        }
        Ok(self.records.apply(changes).await?)
    }
}

impl Entry {
    fn info(&self, name: &str) -> SecretInfo {
        SecretInfo {
            name: name.to_owned(),
            version: self.version,
            set: self.set.clone(),
        }
    }
}

fn no_json(fault: serde_json::Error) -> SecretsError {
    SecretsError::Store(StoreError::Corrupt(fault.to_string().into()))
}

fn check_value(value: &[u8]) -> Result<(), SecretsError> {
    if value.is_empty() {
        return Err(SecretsError::Value("it is empty"));
    }
    if value.len() > LONGEST {
        return Err(SecretsError::Value("it is longer"));
    }
    match std::str::from_utf8(value) {
        Ok(_) => Ok(()),
        Err(_) => Err(SecretsError::Value("it is binary; encode it as base64")),
    }
}

#[cfg(test)]
mod tests;
