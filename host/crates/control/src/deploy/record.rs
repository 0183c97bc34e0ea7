//! What is kept of a service on disk.

mod config;
pub(super) mod rollout;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(super) use config::{Changes, ConfigRecord};
use rollout::RolloutRecord;

use stoa_settings::Settings;

/// The kind of these records in the store.
pub(super) const KIND: &str = "service";
/// The kind of the records of who takes no calls, by service or upstream.
pub(super) const DRAIN: &str = "drain";
/// The kind of the records of how breakers are held, by service or upstream.
pub(super) const BREAKER: &str = "breaker";
/// The kind of the records of schedules that are paused, by name.
pub(super) const PAUSED: &str = "schedule-paused";

/// A service: its revisions, and which of them are live.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ServiceRecord {
    /// Number of the newest revision; numbers are never used again.
    pub(super) newest: u64,
    /// Oldest first.
    pub(super) revisions: Vec<RevisionRecord>,
    /// Heaviest first; together 100.
    pub(super) live: Vec<LiveRecord>,
    /// What had the traffic before the last change.
    #[serde(default)]
    pub(super) previous: Option<u64>,
    /// The size that an operator set; goes before the settings'.
    #[serde(default)]
    pub(super) scale: Option<ScaleRecord>,
    /// The rollout under way.
    #[serde(default)]
    pub(super) rollout: Option<RolloutRecord>,
    /// What an operator set over the settings' configuration.
    #[serde(default)]
    pub(super) config: Arc<ConfigRecord>,
}

/// One revision.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RevisionRecord {
    pub(super) number: u64,
    /// SHA-256 of its component, in hex.
    pub(super) component: String,
    /// Size of its component, in bytes.
    pub(super) size: u64,
    /// RFC 3339, UTC.
    pub(super) deployed: String,
    pub(super) settings: Settings,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
}

/// A revision's share of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LiveRecord {
    pub(super) revision: u64,
    /// Per cent.
    pub(super) weight: u8,
}

/// A pool's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ScaleRecord {
    pub(super) min: u32,
    pub(super) max: u32,
}

impl ServiceRecord {
    pub(super) fn revision(&self, number: u64) -> Option<&RevisionRecord> {
        self.revisions
            .iter()
            .find(|revision| revision.number == number)
    }

    /// Writes down what became of a revision.
    pub(super) fn note(&mut self, number: u64, note: String) {
        let mut revisions = self.revisions.iter_mut();
        if let Some(revision) = revisions.find(|revision| revision.number == number) {
            revision.note = Some(note);
        }
    }

    /// Lets a rollout that a restart interrupted go on.
    pub(super) fn restart_rollout(&mut self) {
        if let Some(mut rollout) = self.rollout.take() {
            let revision = self.revision(rollout.revision);
            let watch = revision.map(|revision| revision.settings.rollout.watch);
            rollout.restart(watch.unwrap_or_default());
            self.rollout = Some(rollout);
        }
    }

    pub(super) fn weight(&self, number: u64) -> u8 {
        self.live
            .iter()
            .find(|live| live.revision == number)
            .map_or(0, |live| live.weight)
    }

    /// Adds a revision. Without a share it takes all traffic, else its share of it;
    /// a canary that is there already makes way.
    pub(super) fn add(&mut self, revision: RevisionRecord, share: Option<u8>) {
        let number = revision.number;
        self.newest = number;
        self.revisions.push(revision);
        match (share, self.live.first().copied()) {
            (Some(share), Some(stable)) if share < 100 => {
                let rest = 100 - share;
                self.set_live(vec![
                    LiveRecord {
                        revision: stable.revision,
                        weight: rest,
                    },
                    LiveRecord {
                        revision: number,
                        weight: share,
                    },
                ]);
            }
            _ => self.set_live(vec![LiveRecord {
                revision: number,
                weight: 100,
            }]),
        }
    }

    /// Changes who gets the traffic.
    pub(super) fn set_live(&mut self, mut live: Vec<LiveRecord>) {
        live.retain(|live| live.weight > 0);
        // Of two equals the older one stays the first: the canary is the newer.
        live.sort_by_key(|live| (u8::MAX - live.weight, live.revision));
        let primary = |live: &[LiveRecord]| live.first().map(|live| live.revision);
        let before = primary(&self.live);
        if before.is_some() && before != primary(&live) {
            self.previous = before;
        }
        self.live = live;
    }

    /// Forgets the oldest revisions that nothing refers to, but for the last `most`.
    pub(super) fn trim(&mut self, most: usize) {
        let used = |number| self.is_used(number);
        let unused: Vec<_> = self
            .revisions
            .iter()
            .map(|revision| revision.number)
            .filter(|number| !used(*number))
            .collect();
        let gone = &unused[..unused.len().saturating_sub(most)];
        self.revisions
            .retain(|revision| !gone.contains(&revision.number));
    }

    /// Whether a revision has traffic, or may get it back by itself.
    fn is_used(&self, number: u64) -> bool {
        let of_rollout = self.rollout.as_ref().is_some_and(|rollout| {
            [rollout.revision, rollout.against].contains(&number)
                || rollout.previous == Some(number)
        });
        self.weight(number) > 0 || self.previous == Some(number) || of_rollout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(number: u64) -> RevisionRecord {
        RevisionRecord {
            number,
            component: format!("{number:064x}"),
            size: 1,
            deployed: "2026-01-01T00:00:00Z".to_owned(),
            settings: Settings::default(),
            note: None,
        }
    }

    fn live(record: &ServiceRecord) -> Vec<(u64, u8)> {
        record
            .live
            .iter()
            .map(|live| (live.revision, live.weight))
            .collect()
    }

    #[test]
    fn a_deployment_takes_all_traffic_and_remembers_who_had_it() {
        let mut record = ServiceRecord::default();
        record.add(revision(1), None);
        assert_eq!((live(&record), record.previous), (vec![(1, 100)], None));
        record.add(revision(2), None);
        assert_eq!((live(&record), record.previous), (vec![(2, 100)], Some(1)));
    }

    #[test]
    fn a_canary_takes_its_share_and_a_second_one_replaces_it() {
        let mut record = ServiceRecord::default();
        record.add(revision(1), Some(10));
        assert_eq!(
            live(&record),
            [(1, 100)],
            "the first revision has nobody to share with"
        );
        record.add(revision(2), Some(10));
        assert_eq!(
            (live(&record), record.previous),
            (vec![(1, 90), (2, 10)], None)
        );
        record.add(revision(3), Some(50));
        assert_eq!(live(&record), [(1, 50), (3, 50)]);
    }

    #[test]
    fn old_revisions_are_forgotten_but_never_one_in_use() {
        let mut record = ServiceRecord::default();
        record.add(revision(1), None);
        for number in 2..=5000 {
            record.add(revision(number), Some(10));
            record.trim(10);
            assert!(record.revisions.len() <= 12);
        }
        assert!(
            record.revision(1).is_some(),
            "the stable revision is the oldest"
        );
        let kept: Vec<_> = record.revisions.iter().map(|one| one.number).collect();
        let last: Vec<_> = std::iter::once(1).chain(4990..=5000).collect();
        assert_eq!(kept, last);
    }

    #[test]
    fn what_a_rollout_may_go_back_to_is_in_use() {
        let mut record = ServiceRecord::default();
        for number in 1..=4 {
            record.add(revision(number), None);
        }
        record.rollout = Some(RolloutRecord {
            revision: 4,
            against: 3,
            previous: Some(2),
            baseline: None,
            stages: Vec::new(),
            every_ms: 0,
            next_ms: 0,
            until_ms: 0,
        });
        record.trim(0);
        let kept: Vec<_> = record.revisions.iter().map(|one| one.number).collect();
        assert_eq!(kept, [2, 3, 4]);
        record.rollout = None;
        record.trim(0);
        assert_eq!(record.revisions.len(), 2, "the live one and the one before");
    }
}
