//! Rollouts under way: walks a canary's stages, and swaps back what is clearly worse.
//!
//! What is to be done stands in the service's record, so a restart goes on with it.
//! Counts are lost: the new revision's begin anew, and with them the stage or the
//! watch under way, as nothing may be judged by less than it should be; the old one's
//! are in the record where it had all the traffic, and begin anew where both are live.
//! For the same reason a stage that comes late is no shorter.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::effects::{Effects, Stop};
use super::record::rollout::{RolloutRecord, millis, now_ms};
use super::record::{LiveRecord, ServiceRecord};
use super::state::{Deployed, State};
use super::traffic::{Ready, shift};
use super::{ChangeError, Deployments, verdict};
use stoa_api::{RolloutState, ServiceDeploy};
use stoa_mesh::breaker;
use stoa_mesh::record::Numbers;

/// What a rollout needs now.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    /// The next share.
    Stage(u8),
    /// The old revision, for this reason.
    Back(String),
    /// The watch is over.
    End,
}

/// Earlier counts of revisions, to know what they did lately. In memory only.
#[derive(Default)]
pub(super) struct Marks(Mutex<BTreeMap<(String, u64), Mark>>);

/// Two looks at a revision's counts, a watch's time apart.
struct Mark {
    older: Numbers,
    newer: Numbers,
    taken: SystemTime,
}

/// A rollout as it was when something of it was due.
struct UnderWay {
    service: String,
    rollout: RolloutRecord,
}

impl Deployments {
    /// Waits until a rollout may need something before it is its time.
    pub async fn breaker_opened(&self) {
        self.parts.guards.opened().await;
    }

    /// Does what rollouts need: to be called each second or so.
    pub async fn tend_rollouts(self: &Arc<Self>) {
        let due: Vec<(UnderWay, Due)> = {
            let state = self.state.load();
            self.mark(&state);
            let under_way = state.services.iter().filter_map(|(name, deployed)| {
                let rollout = deployed.record.rollout.clone()?;
                let due = self.due(name, deployed, &rollout);
                let service = name.clone();
                (due != Due::Nothing).then_some((UnderWay { service, rollout }, due))
            });
            under_way.collect()
        };
        for (one, due) in due {
            let done = match due {
                Due::Nothing => Ok(()),
                Due::Stage(share) => self.next_stage(&one, share).await,
                Due::Back(reason) => self.swap_back(&one, &reason).await,
                Due::End => self.end_watch(&one, None).await,
            };
            if let Err(error) = done {
                self.give_up(&one, &error).await;
            }
        }
    }

    /// A rollout as the API shows it.
    pub(super) fn rollout_state(&self, service: &str, rollout: &RolloutRecord) -> RolloutState {
        let now = now_ms();
        let new = self.numbers(service, rollout.revision);
        let more = !rollout.stages.is_empty();
        RolloutState {
            revision: rollout.revision,
            against: rollout.against,
            stages: rollout.stages.clone(),
            next_ms: more.then(|| rollout.next_ms.saturating_sub(now)),
            watch_ms: rollout.until_ms.saturating_sub(now),
            calls: new.calls,
            failed: new.failed,
        }
    }

    fn due(&self, service: &str, deployed: &Deployed, rollout: &RolloutRecord) -> Due {
        let record = &deployed.record;
        let settings = record
            .revision(rollout.revision)
            .map(|revision| revision.settings.rollout.clone())
            .unwrap_or_default();
        if record.weight(rollout.revision) == 0 {
            return Due::End;
        }
        if let Some(reason) = self.cut_off(service, rollout.revision) {
            return Due::Back(reason);
        }
        let new = self.numbers(service, rollout.revision);
        // While both are live they meet the same traffic: the fairer comparison.
        let old = match &rollout.baseline {
            Some(baseline) if record.weight(rollout.against) == 0 => baseline.clone(),
            _ => self.lately(service, rollout.against),
        };
        if let Some(reason) = verdict::worse(&new, &old, &settings) {
            return Due::Back(reason);
        }
        match due_by_time(rollout, now_ms()) {
            Due::Stage(_) if verdict::is_open(&new, &settings) => Due::Nothing,
            due => due,
        }
    }

    /// Why the new revision's breaker opened, if one did by itself.
    fn cut_off(&self, service: &str, revision: u64) -> Option<String> {
        let breakers = self.parts.guards.list(service).into_iter();
        let mut open = breakers.filter(|(number, _, reading)| {
            *number == revision && reading.state == breaker::State::Open && reading.forced.is_none()
        });
        open.next()
            .map(|(_, link, reading)| format!("its breaker for {link} opened: {}", reading.reason))
    }

    async fn next_stage(self: &Arc<Self>, one: &UnderWay, share: u8) -> Result<(), ChangeError> {
        let change = |state: &State, ready: &Ready<'_>| one.next_stage(state, ready, share);
        if self.shift(&one.service, change).await?.is_some() {
            tracing::info!(
                service.name = one.service,
                service.version = one.rollout.revision,
                "canary: {share} % of the traffic"
            );
        }
        Ok(())
    }

    async fn swap_back(self: &Arc<Self>, one: &UnderWay, reason: &str) -> Result<(), ChangeError> {
        let change = |state: &State, ready: &Ready<'_>| one.swap_back(state, ready, reason);
        if self.shift(&one.service, change).await?.is_some() {
            self.parts.telemetry.metrics.deploy_swap("auto_rollback");
            tracing::error!(
                service.name = one.service,
                service.version = one.rollout.revision,
                "rolled back to revision {}: {reason}",
                one.rollout.against
            );
        }
        Ok(())
    }

    /// A rollout that can't go on, as when others need what the new revision exports:
    /// the traffic stays as it is, and the operator is told.
    async fn give_up(self: &Arc<Self>, one: &UnderWay, error: &ChangeError) {
        tracing::error!(
            service.name = one.service,
            service.version = one.rollout.revision,
            "its rollout can't go on; the traffic stays as it is: {error}"
        );
        let note = format!("its rollout could not go on: {error}");
        if let Err(error) = self.end_watch(one, Some(note)).await {
            tracing::error!(service.name = one.service, "nor can it be ended: {error}");
        }
    }

    async fn end_watch(
        self: &Arc<Self>,
        one: &UnderWay,
        note: Option<String>,
    ) -> Result<(), ChangeError> {
        match self.change(|state| one.end(state, note)).await {
            Ok(_) => tracing::info!(
                service.name = one.service,
                service.version = one.rollout.revision,
                "its rollout is over"
            ),
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Moved | Stop::Needs(_)) => {}
        }
        Ok(())
    }

    fn numbers(&self, service: &str, revision: u64) -> Numbers {
        self.parts.guards.numbers(service, revision)
    }

    /// What a revision did within the last one or two watches.
    pub(super) fn lately(&self, service: &str, revision: u64) -> Numbers {
        let now = self.numbers(service, revision);
        let marks = self.marks.0.lock().unwrap_or_else(PoisonError::into_inner);
        match marks.get(&(service.to_owned(), revision)) {
            Some(mark) => now.since(&mark.older),
            None => now,
        }
    }

    /// Remembers the counts of revisions that a later one may be compared with.
    fn mark(&self, state: &State) {
        let now = SystemTime::now();
        let mut marks = self.marks.0.lock().unwrap_or_else(PoisonError::into_inner);
        marks.retain(|(service, revision), _| {
            let deployed = state.services.get(service);
            deployed.is_some_and(|deployed| deployed.record.weight(*revision) > 0)
        });
        for (name, deployed) in &state.services {
            for (_, loaded) in deployed.live() {
                let settings = &loaded.revision.settings.rollout;
                if !settings.auto_rollback {
                    continue;
                }
                let number = loaded.revision.number;
                let mark = marks.entry((name.clone(), number)).or_insert_with(|| Mark {
                    older: Numbers::default(),
                    newer: Numbers::default(),
                    taken: now,
                });
                let age = now.duration_since(mark.taken).unwrap_or_default();
                if age >= settings.watch {
                    mark.older = std::mem::replace(&mut mark.newer, self.numbers(name, number));
                    mark.taken = now;
                }
            }
        }
    }
}

/// The rollout of the revision that is to follow, if it has one.
pub(super) fn begin(
    record: &ServiceRecord,
    request: &ServiceDeploy,
    lately: &dyn Fn(&str, u64) -> Numbers,
) -> Option<RolloutRecord> {
    let (stages, settings) = (request.stages.as_ref(), &request.settings.rollout);
    let against = record.live.first()?.revision;
    if stages.is_none() && !settings.auto_rollback {
        return None;
    }
    let to_come = stages.map_or(&[][..], |stages| stages.shares.get(1..).unwrap_or_default());
    let mut rollout = RolloutRecord {
        revision: record.newest + 1,
        against,
        previous: record.previous,
        baseline: Some(lately(&request.service, against)),
        stages: to_come.to_vec(),
        every_ms: stages.map_or(0, |stages| millis(stages.every)),
        next_ms: 0,
        until_ms: 0,
    };
    rollout.begin(now_ms(), settings.watch);
    Some(rollout)
}

// === impl UnderWay ===

impl UnderWay {
    /// The next share of the traffic.
    fn next_stage(
        &self,
        state: &State,
        ready: &Ready<'_>,
        share: u8,
    ) -> Result<(State, Effects), Stop> {
        self.check(state)?;
        let (new, old) = (self.rollout.revision, self.rollout.against);
        let shares = [(new, share), (old, 100 - share)];
        shift(state, &self.service, ready, |record| {
            let live = shares.map(|(revision, weight)| LiveRecord { revision, weight });
            record.set_live(live.to_vec());
            let mut rollout = self.rollout.clone();
            rollout.advance(now_ms());
            record.rollout = Some(rollout);
        })
    }

    /// All traffic for the old revision.
    fn swap_back(
        &self,
        state: &State,
        ready: &Ready<'_>,
        reason: &str,
    ) -> Result<(State, Effects), Stop> {
        self.check(state)?;
        let (new, old) = (self.rollout.revision, self.rollout.against);
        shift(state, &self.service, ready, |record| {
            record.set_live(vec![LiveRecord {
                revision: old,
                weight: 100,
            }]);
            record.rollout = None;
            // The revision that is worse is nothing to go back to.
            let previous = self.rollout.previous;
            record.previous = previous.filter(|number| record.revision(*number).is_some());
            record.note(new, format!("rolled back by the host: {reason}"));
        })
    }

    /// The traffic as it is, and nothing more to come.
    fn end(&self, state: &State, note: Option<String>) -> Result<(State, Effects), Stop> {
        self.check(state)?;
        let mut next = state.clone();
        let record = &mut next.entry(&self.service).record;
        record.rollout = None;
        if let Some(note) = note {
            record.note(self.rollout.revision, note);
        }
        Ok(Effects::of(state, next)?)
    }

    /// An operator or a deployment may have been first.
    fn check(&self, state: &State) -> Result<(), Stop> {
        let current = state.services.get(&self.service);
        let current = current.and_then(|deployed| deployed.record.rollout.as_ref());
        match current == Some(&self.rollout) {
            true => Ok(()),
            false => Err(Stop::Moved),
        }
    }
}

fn due_by_time(rollout: &RolloutRecord, now: u64) -> Due {
    match rollout.stages.first() {
        Some(share) if now >= rollout.next_ms => Due::Stage(*share),
        None if now >= rollout.until_ms => Due::End,
        _ => Due::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rollout() -> RolloutRecord {
        RolloutRecord {
            revision: 2,
            against: 1,
            previous: None,
            baseline: None,
            stages: vec![25, 100],
            every_ms: 10,
            next_ms: 100,
            until_ms: 200,
        }
    }

    #[test]
    fn stages_come_when_they_are_due_and_the_watch_ends_after_them() {
        let mut rollout = rollout();
        assert_eq!(due_by_time(&rollout, 99), Due::Nothing);
        assert_eq!(due_by_time(&rollout, 100), Due::Stage(25));
        assert_eq!(
            due_by_time(&rollout, 500),
            Due::Stage(25),
            "after a pause too"
        );
        rollout.stages.clear();
        assert_eq!(due_by_time(&rollout, 199), Due::Nothing);
        assert_eq!(due_by_time(&rollout, 200), Due::End);
    }

    #[test]
    fn a_stage_that_comes_late_is_no_shorter() {
        let mut rollout = rollout();
        rollout.advance(500);
        assert_eq!((rollout.next_ms, rollout.until_ms), (510, 600));
        assert_eq!(due_by_time(&rollout, 509), Due::Nothing);
        assert_eq!(due_by_time(&rollout, 510), Due::Stage(100));
        rollout.advance(510);
        assert_eq!(due_by_time(&rollout, 599), Due::Nothing);
        assert_eq!(due_by_time(&rollout, 600), Due::End);
    }

    #[test]
    fn after_a_restart_the_stage_or_the_watch_begins_anew() {
        let (mut rollout, watch) = (rollout(), Duration::from_millis(80));
        rollout.begin(5000, watch);
        assert_eq!(due_by_time(&rollout, 5009), Due::Nothing);
        assert_eq!(due_by_time(&rollout, 5010), Due::Stage(25));
        assert_eq!(rollout.until_ms, 5100);
        rollout.stages.clear();
        rollout.begin(9000, watch);
        assert_eq!(due_by_time(&rollout, 9079), Due::Nothing);
        assert_eq!(due_by_time(&rollout, 9080), Due::End);
    }
}
