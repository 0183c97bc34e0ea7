//! The host's own records: deployments, scales, keys.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Reply, StoreError};

/// JSON records, each under a kind (`"deployment"`) and a key, durable.
///
/// Meant for what the host must know after a restart: few, small, changed
/// seldom. A kind holds no control characters.
pub trait Records: Send + Sync {
    /// The record, if there is one.
    fn get<'a>(&'a self, kind: &'a str, key: &'a str) -> Reply<'a, Option<Value>>;

    /// All records of a kind, by key in the order of their bytes.
    fn list<'a>(&'a self, kind: &'a str) -> Reply<'a, Vec<(String, Value)>>;

    /// Makes all changes or none, also when the host dies in the middle.
    fn apply(&self, changes: Vec<Change>) -> Reply<'_, ()>;

    /// Writes one record.
    fn put(&self, kind: &str, key: &str, value: Value) -> Reply<'_, ()> {
        self.apply(vec![Change {
            kind: kind.to_owned(),
            key: key.to_owned(),
            value: Some(value),
        }])
    }

    /// Removes one record; nothing happens when it is not there.
    fn remove(&self, kind: &str, key: &str) -> Reply<'_, ()> {
        self.apply(vec![Change {
            kind: kind.to_owned(),
            key: key.to_owned(),
            value: None,
        }])
    }
}

/// One step of [`Records::apply`].
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What the record is.
    pub kind: String,
    /// Which one.
    pub key: String,
    /// The record, or `None` to remove it.
    pub value: Option<Value>,
}

impl Change {
    /// Writes `value`.
    ///
    /// # Errors
    /// When `value` has no JSON form, such as a map whose keys are no strings.
    pub fn put(kind: &str, key: &str, value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self {
            kind: kind.to_owned(),
            key: key.to_owned(),
            value: Some(serde_json::to_value(value)?),
        })
    }

    /// Removes the record.
    pub fn remove(kind: &str, key: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            key: key.to_owned(),
            value: None,
        }
    }
}

impl dyn Records {
    /// [`Records::get`] as the type that it was written from.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the record is not such a `T`.
    pub async fn read<T: DeserializeOwned>(
        &self,
        kind: &str,
        key: &str,
    ) -> Result<Option<T>, StoreError> {
        self.get(kind, key)
            .await?
            .map(|value| typed(kind, key, value))
            .transpose()
    }

    /// [`Records::list`] as the type that they were written from.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a record is not such a `T`.
    pub async fn read_all<T: DeserializeOwned>(
        &self,
        kind: &str,
    ) -> Result<Vec<(String, T)>, StoreError> {
        let all = self.list(kind).await?;
        all.into_iter()
            .map(|(key, value)| typed(kind, &key, value).map(|value| (key, value)))
            .collect()
    }
}

fn typed<T: DeserializeOwned>(kind: &str, key: &str, value: Value) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(|fault| {
        StoreError::Corrupt(
            format!("the record {kind} {key:?} has an unknown form: {fault}").into(),
        )
    })
}
