//! API keys: made, listed, revoked, and checked for each request that shows one.
//!
//! A key is `stoa_ID_SECRET`. Its secret is 192 random bits, so one round of a fast
//! hash is all that it takes to store it safely, and the check of a request is a
//! look-up and a hash. The prefix lets scanners of leaked secrets recognise it.
//! All keys are in memory; a change is on disk before it is told to have happened.

mod record;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::Denied;
use record::{ApiKey, Record};
use stoa_api::{KeyRequest, KeySummary, NewKey};
use stoa_call::Principal;
use stoa_http::client::now;
use stoa_http::shutdown::Drain;
use stoa_settings::config::faults::meant;
use stoa_settings::config::values;
use stoa_store::{Change, Records, StoreError};

/// What every key begins with.
pub(super) const PREFIX: &str = "stoa_";
/// Kind of the keys' records.
const KIND: &str = "api-key";
/// Random bytes of an id: enough that two of a million keys never meet.
const ID: usize = 6;
/// Random bytes of a secret: beyond any search.
const SECRET: usize = 24;
/// How often the times of last use are written. They are for people who look for
/// keys that nobody needs: a crash may take the last minute of them.
const USE_WRITTEN: Duration = Duration::from_secs(60);
/// Keys at most: all are in memory, and copied at each change.
const MOST: usize = 10_000;
/// How long an expired key is still shown, in seconds: a month, for who wonders why
/// it is refused.
const SHOWN: u64 = 30 * 24 * 3600;
/// Bytes of a key's name at most.
const LONGEST_NAME: usize = 100;

/// The API keys of a host.
pub struct ApiKeys {
    records: Arc<dyn Records>,
    by_id: ArcSwap<HashMap<String, Arc<ApiKey>>>,
    /// Held during a change, so that none is lost.
    change: Mutex<()>,
}

/// Why a key could not be made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The request makes no sense: what was expected and what was found.
    #[error("{0}")]
    Input(String),
    /// There is no such key.
    #[error("there is no API key {id:?}{hint}")]
    NoKey {
        /// What was asked for.
        id: String,
        /// What may have been meant.
        hint: String,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// The change could not be written.
    #[error("the change could not be written: {0}")]
    Store(#[from] StoreError),
}

impl ApiKeys {
    /// Reads the keys that there are.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn open(records: Arc<dyn Records>) -> Result<Self, StoreError> {
        let found: Vec<(String, Record)> = records.read_all(KIND).await?;
        let keys = found.into_iter().filter_map(|(id, record)| {
            let key = ApiKey::new(&id, record);
            if key.is_none() {
                tracing::error!(
                    id,
                    "the record of this API key is damaged: it is not accepted"
                );
            }
            Some((id, Arc::new(key?)))
        });
        let by_id = ArcSwap::from_pointee(keys.collect());
        Ok(Self {
            records,
            by_id,
            change: Mutex::default(),
        })
    }

    /// Makes a key. Its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// When the request makes no sense or the key can't be written.
    pub async fn create(&self, request: KeyRequest) -> Result<NewKey, KeyError> {
        check_request(&request)?;
        if self.by_id.load().len() >= MOST {
            return Err(KeyError::Input(format!(
                "expected {MOST} API keys at most: revoke those that nobody uses (`stoa key ls` says when each was)"
            )));
        }
        let (id, secret) = (random::<ID>()?, random::<SECRET>()?);
        let record = Record::new(request, &secret, now());
        let key = ApiKey::new(&id, record.clone()).ok_or_else(|| {
            KeyError::Input("expected an expiry before the end of time".to_owned())
        })?;
        let _changing = self.change.lock().await;
        self.write(vec![(id.clone(), record)]).await?;
        let summary = key.summary();
        self.publish(|keys| {
            keys.insert(id.clone(), Arc::new(key));
        });
        tracing::info!(id, name = summary.name, "API key made");
        Ok(NewKey {
            key: format!("{PREFIX}{id}_{secret}"),
            summary,
        })
    }

    /// Every key, oldest first.
    pub fn list(&self) -> Vec<KeySummary> {
        let mut keys: Vec<_> = self.by_id.load().values().cloned().collect();
        keys.sort_by_key(|key| (key.created(), key.id.clone()));
        keys.iter().map(|key| key.summary()).collect()
    }

    /// Ends a key: no request that comes from now on is let in by it.
    ///
    /// # Errors
    /// When there is none, or its end could not be written: then it is back
    /// after a restart.
    pub async fn revoke(&self, id: &str) -> Result<(), KeyError> {
        let _changing = self.change.lock().await;
        // First in memory: a key that leaked must not outlive a slow disk.
        let mut known = false;
        self.publish(|keys| known = keys.remove(id).is_some());
        // A revocation that could not be written is tried again by repeating it.
        if !known && self.records.get(KIND, id).await?.is_none() {
            return Err(self.no_key(id));
        }
        self.records.remove(KIND, id).await?;
        tracing::info!(id, "API key revoked");
        Ok(())
    }

    /// Who names a key rather than its id means one of that name.
    fn no_key(&self, id: &str) -> KeyError {
        let keys = self.list();
        let named = keys.iter().filter(|key| key.name == id);
        let named: Vec<_> = named.map(|key| key.id.as_str()).collect();
        let ids = keys.iter().map(|key| key.id.as_str());
        let hint = match named.as_slice() {
            [] => meant(id, ids, "`stoa key ls` shows those that there are"),
            ids => format!(": its name was given, its id is {}", ids.join(" or ")),
        };
        let id = id.to_owned();
        KeyError::NoKey { id, hint }
    }

    /// Who has this key, at `now` in seconds since 1970.
    pub(super) fn check(&self, text: &str, now: u64) -> Result<Arc<Principal>, Denied> {
        let parts = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'));
        let keys = self.by_id.load();
        let found = parts.and_then(|(id, secret)| {
            let key = keys.get(id)?;
            key.is_opened_by(secret).then_some(key)
        });
        let Some(key) = found else {
            return Err(Denied::Invalid("the API key is not known, or was revoked"));
        };
        if !key.is_young(now) {
            return Err(Denied::Invalid("the API key has expired"));
        }
        key.used(now);
        Ok(key.principal.clone())
    }

    /// Writes the times of last use now and then, and when the drain begins.
    pub async fn tend(&self, drain: Drain) {
        let mut ticks = tokio::time::interval(USE_WRITTEN);
        loop {
            let ended = tokio::select! {
                _ = ticks.tick() => false,
                () = drain.begun() => true,
            };
            if let Err(error) = self.write_use().await {
                tracing::warn!("when API keys were last used could not be written: {error}");
            }
            if let Err(error) = self.remove_expired(now()).await {
                tracing::warn!("API keys that expired long ago could not be removed: {error}");
            }
            if ended {
                return;
            }
        }
    }

    async fn write_use(&self) -> Result<(), KeyError> {
        // A key that is revoked meanwhile must not come back.
        let _changing = self.change.lock().await;
        let keys = self.by_id.load_full();
        let used = keys
            .values()
            .filter_map(|key| Some((key.id.clone(), key.take_use()?)));
        let used: Vec<_> = used.collect();
        if used.is_empty() {
            return Ok(());
        }
        self.write(used).await
    }

    /// Removes keys that expired long before `now`.
    async fn remove_expired(&self, now: u64) -> Result<(), StoreError> {
        let _changing = self.change.lock().await;
        let keys = self.by_id.load_full();
        let over = keys
            .values()
            .filter(|key| !key.is_young(now.saturating_sub(SHOWN)));
        let over: Vec<_> = over.map(|key| key.id.clone()).collect();
        if over.is_empty() {
            return Ok(());
        }
        let changes = over.iter().map(|id| Change::remove(KIND, id));
        self.records.apply(changes.collect()).await?;
        self.publish(|keys| keys.retain(|id, _| !over.contains(id)));
        tracing::info!(keys = over.len(), "API keys that expired long ago removed");
        Ok(())
    }

    async fn write(&self, records: Vec<(String, Record)>) -> Result<(), KeyError> {
        let changes = records
            .iter()
            .map(|(id, record)| Change::put(KIND, id, record));
        let changes: Result<Vec<_>, _> = changes.collect();
        let changes = changes.expect("a record of strings and numbers is always JSON");
        Ok(self.records.apply(changes).await?)
    }

    fn publish(&self, change: impl FnOnce(&mut HashMap<String, Arc<ApiKey>>)) {
        let mut keys = HashMap::clone(&self.by_id.load());
        change(&mut keys);
        self.by_id.store(Arc::new(keys));
    }
}

fn check_request(request: &KeyRequest) -> Result<(), KeyError> {
    let name = &request.name;
    if name.trim().is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
        return Err(KeyError::Input(format!(
            "expected a name of 1 to {LONGEST_NAME} bytes without control characters, found {name:?}"
        )));
    }
    for scope in &request.scopes {
        values::scope(scope).map_err(KeyError::Input)?;
    }
    match request.expires {
        Some(after) if after < Duration::from_secs(1) => Err(KeyError::Input(format!(
            "expected an expiry of a second at least, found {after:?}"
        ))),
        _ => Ok(()),
    }
}

fn random<const BYTES: usize>() -> Result<String, KeyError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| KeyError::Random(error.to_string()))?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests;
