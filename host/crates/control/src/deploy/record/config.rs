//! What an operator set for a service: each version, and the way back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use stoa_engine::capabilities::config::Values;

/// Versions that can be gone back to.
const VERSIONS: usize = 50;
/// Bytes of all of them together: the record is read and written whole.
const BYTES: usize = 1 << 20;

/// Keys → their new values; `None` goes back to the manifest's.
pub(crate) type Changes = BTreeMap<String, Option<String>>;

/// The operator's values of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConfigRecord {
    /// Counts the operator's changes; 0 is none.
    pub(crate) version: u64,
    /// What is set now.
    pub(crate) overrides: Values,
    /// Oldest first; the last is what is set now.
    pub(crate) history: Vec<VersionRecord>,
}

/// The operator's values after one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VersionRecord {
    pub(crate) version: u64,
    /// RFC 3339, UTC.
    pub(crate) at: String,
    /// What was new in it.
    pub(crate) changes: Changes,
    /// The version that it went back to, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) back_to: Option<u64>,
    pub(crate) overrides: Values,
}

impl ConfigRecord {
    /// Makes a new version of these changes. Those that change nothing make none.
    pub(crate) fn change(&mut self, changes: &Changes, at: String) {
        let mut overrides = self.overrides.clone();
        for (key, value) in changes {
            match value {
                Some(value) => overrides.insert(key.clone(), value.clone()),
                None => overrides.remove(key),
            };
        }
        self.add(overrides, None, at);
    }

    /// Makes a new version of what was set in an old one.
    pub(crate) fn go_back(&mut self, to: u64, overrides: Values, at: String) {
        self.add(overrides, Some(to), at);
    }

    /// What was set in a version; version 0 is nothing. `None` when it is forgotten
    /// or still to come.
    pub(crate) fn at(&self, version: u64) -> Option<Values> {
        let mut history = self.history.iter();
        match history.find(|entry| entry.version == version) {
            Some(entry) => Some(entry.overrides.clone()),
            None => (version == 0).then(Values::new),
        }
    }

    fn add(&mut self, overrides: Values, back_to: Option<u64>, at: String) {
        let changes = differences(&self.overrides, &overrides);
        if changes.is_empty() {
            return;
        }
        self.version += 1;
        self.overrides.clone_from(&overrides);
        self.history.push(VersionRecord {
            version: self.version,
            at,
            changes,
            back_to,
            overrides,
        });
        self.trim();
    }

    /// Forgets the oldest versions; never the one that is set now.
    fn trim(&mut self) {
        let mut bytes = 0;
        let kept = self
            .history
            .iter()
            .rev()
            .take(VERSIONS)
            .take_while(|entry| {
                bytes += size(&entry.overrides);
                bytes <= BYTES
            });
        let kept = kept.count().max(1);
        self.history.drain(..self.history.len() - kept);
    }
}

/// Bytes of keys and values.
pub(crate) fn size(values: &Values) -> usize {
    values
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum()
}

fn differences(before: &Values, after: &Values) -> Changes {
    let set = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), Some(value.clone())));
    let unset = before
        .keys()
        .filter(|key| !after.contains_key(*key))
        .map(|key| (key.clone(), None));
    set.chain(unset).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn changes() -> impl Strategy<Value = Changes> {
        proptest::collection::btree_map("[a-d]", proptest::option::of("[xyz]{0,2}"), 0..4)
    }

    proptest! {
        /// Whatever was done: versions count up, each that is remembered can be
        /// gone back to, and doing so is one change more.
        #[test]
        fn each_remembered_version_can_be_gone_back_to(steps in proptest::collection::vec(changes(), 0..120)) {
            let mut record = ConfigRecord::default();
            let mut states = vec![Values::new()];
            for step in steps {
                let before = record.version;
                record.change(&step, "now".to_owned());
                if record.version > before {
                    prop_assert_eq!(record.version, before + 1);
                    states.push(record.overrides.clone());
                }
            }
            prop_assert!(record.history.len() <= VERSIONS);
            for (version, state) in states.iter().enumerate() {
                let found = record.at(version as u64);
                let forgotten = record.history.first().is_some_and(|first| first.version > version as u64);
                prop_assert_eq!(found.is_none(), forgotten && version > 0);
                if let Some(found) = found {
                    prop_assert_eq!(&found, state);
                    let mut back = record.clone();
                    back.go_back(version as u64, found, "later".to_owned());
                    prop_assert_eq!(&back.overrides, state);
                }
            }
        }
    }

    #[test]
    fn history_is_bounded_by_its_bytes_too() {
        let mut record = ConfigRecord::default();
        for turn in 0..20 {
            let value = format!("{turn}{}", "x".repeat(200_000));
            record.change(
                &Changes::from([("a".to_owned(), Some(value))]),
                String::new(),
            );
        }
        assert_eq!((record.version, record.history.len()), (20, 5));
        assert_eq!(record.at(20).as_ref(), Some(&record.overrides));
    }

    #[test]
    fn what_changes_nothing_makes_no_version() {
        let mut record = ConfigRecord::default();
        record.change(&Changes::from([("a".to_owned(), None)]), String::new());
        assert_eq!(record, ConfigRecord::default());
    }
}
