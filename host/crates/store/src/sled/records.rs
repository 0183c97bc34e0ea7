//! The host's records in a tree of their own.

use std::sync::Arc;

use serde_json::Value;

use super::committer::Committer;
use super::fault;
use crate::{Change, Records, Reply, StoreError, ready, waiting};

/// [`Records`] as one tree: a batch on one tree is atomic.
pub(super) struct SledRecords {
    pub(super) tree: sled::Tree,
    pub(super) committer: Arc<Committer>,
}

impl Records for SledRecords {
    fn get<'a>(&'a self, kind: &'a str, key: &'a str) -> Reply<'a, Option<Value>> {
        let found = self
            .tree
            .get(full_key(kind, key))
            .map_err(|error| fault("reading a record", error));
        ready(found.and_then(|raw| raw.map(|raw| parse(kind, &raw)).transpose()))
    }

    fn list<'a>(&'a self, kind: &'a str) -> Reply<'a, Vec<(String, Value)>> {
        let prefix = full_key(kind, "");
        let records = self.tree.scan_prefix(&prefix).map(|entry| {
            let (key, raw) = entry.map_err(|error| fault("listing records", error))?;
            let key = String::from_utf8_lossy(&key[prefix.len()..]).into_owned();
            Ok((key, parse(kind, &raw)?))
        });
        ready(records.collect())
    }

    fn apply(&self, changes: Vec<Change>) -> Reply<'_, ()> {
        waiting(async move {
            self.committer.check()?;
            let mut batch = sled::Batch::default();
            for Change { kind, key, value } in changes {
                let full = full_key(&kind, &key);
                match value {
                    Some(value) => batch.insert(full, value.to_string().into_bytes()),
                    None => batch.remove(full),
                }
            }
            self.tree
                .apply_batch(batch)
                .map_err(|error| fault("writing records", error))?;
            self.committer.ticket(None).await
        })
    }
}

fn full_key(kind: &str, key: &str) -> Vec<u8> {
    [kind.as_bytes(), &[0], key.as_bytes()].concat()
}

fn parse(kind: &str, raw: &[u8]) -> Result<Value, StoreError> {
    serde_json::from_slice(raw).map_err(|fault| {
        StoreError::Corrupt(format!("a record of kind {kind} is no JSON: {fault}").into())
    })
}
