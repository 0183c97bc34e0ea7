//! The one door by which the state changes: check, keep, publish, drain, announce.
//!
//! A change is checked against the state as it is in its turn, whatever it was made ready
//! for. It is written down before anybody sees it: a crash leaves the old state or the
//! new one, and where writing fails nothing has changed.

use std::mem;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::OwnedMutexGuard;
use tracing::Instrument;

use super::Deployments;
use super::effects::Effects;
use super::progress::Progress;
use super::state::{Loaded, State};
use stoa_api::Step;
use stoa_store::StoreError;

/// The right to change the state. It stays as it is meanwhile.
pub(super) struct Turn {
    state: Arc<State>,
    _one_at_a_time: OwnedMutexGuard<()>,
}

/// A change that was made.
pub(super) struct Committed {
    pub(super) before: Arc<State>,
    pub(super) now: Arc<State>,
    /// Revisions whose calls end now.
    pub(super) ending: Vec<Loaded>,
}

impl Deployments {
    /// Waits until nobody else changes the state.
    pub(super) async fn turn(&self) -> Turn {
        let one_at_a_time = self.writers.clone().lock_owned().await;
        Turn {
            state: self.state.load_full(),
            _one_at_a_time: one_at_a_time,
        }
    }

    /// Makes a change; who lost their traffic drain in the background.
    ///
    /// # Errors
    ///
    /// As [`Deployments::commit`].
    pub(super) async fn change<E: From<StoreError>>(
        self: &Arc<Self>,
        change: impl FnOnce(&State) -> Result<(State, Effects), E>,
    ) -> Result<Committed, E> {
        self.made(change, |deployments, made| {
            deployments.drain_in_background(mem::take(&mut made.ending));
        })
        .await
    }

    /// As [`Deployments::change`], for a caller that needs not know what was before.
    ///
    /// # Errors
    ///
    /// As [`Deployments::commit`].
    pub(super) async fn end<E: From<StoreError>>(
        self: &Arc<Self>,
        change: impl FnOnce(&State) -> Result<(State, Effects), E>,
    ) -> Result<(), E> {
        let made = self.made(change, |deployments, made| {
            // What was before holds what is to end, and what was measured of it.
            made.before = made.now.clone();
            deployments.drain_in_background(mem::take(&mut made.ending));
        });
        made.await.map(drop)
    }

    /// Makes a change; it is for the caller to wait for what is ending.
    ///
    /// # Errors
    ///
    /// What `change` says, or that the disk failed. Nothing has changed then.
    pub(super) async fn commit<E: From<StoreError>>(
        self: &Arc<Self>,
        change: impl FnOnce(&State) -> Result<(State, Effects), E>,
    ) -> Result<Committed, E> {
        self.made(change, |_, _| ()).await
    }

    /// Makes a change and does what comes `after` it as a whole, also when its client
    /// goes away meanwhile.
    async fn made<E: From<StoreError>>(
        self: &Arc<Self>,
        change: impl FnOnce(&State) -> Result<(State, Effects), E>,
        after: impl FnOnce(&Arc<Self>, &mut Committed) + Send + 'static,
    ) -> Result<Committed, E> {
        let turn = self.turn().await;
        let (next, effects) = change(&turn)?;
        let deployments = self.clone();
        let made = async move {
            let mut made = deployments.make(turn, next, effects).await?;
            after(&deployments, &mut made);
            Ok::<_, StoreError>(made)
        };
        let made = tokio::spawn(made.in_current_span()).await;
        Ok(made.expect("making a change does not panic")?)
    }

    async fn make(
        &self,
        turn: Turn,
        next: State,
        mut effects: Effects,
    ) -> Result<Committed, StoreError> {
        let topics = next.topics(&self.parts.queues.log().queues().await?);
        // Before anybody can publish to them: what comes from then on is theirs.
        self.parts.queues.subscribe(&topics).await?;
        let mut records = mem::take(&mut effects.records);
        let mut schedules = self.parts.schedules.change(next.wanted(&effects)).await;
        records.append(&mut schedules.records);
        if !records.is_empty() {
            self.parts.records.apply(records).await?;
        }
        let now = Arc::new(next);
        self.publish(&now, &mut effects);
        self.parts.queues.deliver(&topics);
        self.state.store(now.clone());
        schedules.publish();
        // From here on: later, one of them may have its traffic back.
        for loaded in &effects.ending {
            loaded.revision.pool.drain();
        }
        for name in effects.moved.union(&effects.intakes) {
            let deployed = now.services.get(name).map(|deployed| &**deployed);
            if deployed.is_some() || turn.services.contains_key(name) {
                self.announce(name, deployed, &effects.ending);
            }
        }
        for (service, number) in &effects.forgotten {
            self.parts.forget(service, *number);
        }
        Ok(Committed {
            before: turn.state.clone(),
            now,
            ending: effects.ending,
        })
    }

    /// Puts the state where calls find it. Who shall take no calls is told before they
    /// can come, and who shall again is told last.
    fn publish(&self, now: &State, effects: &mut Effects) {
        self.hold_or_free(now, effects, true);
        let upstreams = effects.upstreams.iter().map(|name| {
            let declared = now.upstreams.get(name);
            (name.clone(), declared.map(|one| one.upstream.clone()))
        });
        self.parts.upstreams.publish(upstreams.collect());
        for name in effects.moved.union(&effects.intakes) {
            now.set_pools(name);
        }
        for name in effects.moved.union(&effects.forces) {
            self.guard_held_links(now, name);
        }
        if let Some(table) = effects.table.take() {
            let services = effects.moved.iter().map(|name| {
                // One of which nothing could be loaded is nowhere to be found.
                let deployed = now.services.get(name).filter(|one| one.is_live());
                let service = deployed.map(|one| Arc::new(one.service(name)));
                (Arc::from(name.as_str()), service)
            });
            self.parts.registry.publish(services.collect());
            self.parts.gateway.publish(table);
        }
        self.hold_or_free(now, effects, false);
        if !effects.intakes.is_empty() {
            self.parts.upstreams.tell();
        }
        now.set_values(effects);
        // Answers that came of other values are as old as those of another revision.
        for service in &effects.values {
            self.parts.gateway.purge_cache(Some(service), None);
        }
    }

    /// Holds breakers and closes intakes, or lets go those that nobody holds any more.
    fn hold_or_free(&self, now: &State, effects: &Effects, held: bool) {
        let forces = effects.forces.iter();
        for name in forces.filter(|name| now.forces.contains_key(*name) == held) {
            // A name is a service's or an upstream's; which of them may be known later.
            let forces = now.forces(name);
            self.parts.upstreams.hold_breakers(name, forces.all);
            self.parts.guards.force(name, forces);
        }
        let intakes = effects.intakes.iter();
        for name in intakes.filter(|name| now.drained.contains(*name) == held) {
            self.parts.guards.intakes().set(name, held);
        }
    }

    /// Waits until revisions have ended their calls. Each call ends at its deadline at
    /// the latest, so this does.
    pub(super) async fn drain(&self, ending: Vec<Loaded>, progress: &Progress) {
        for loaded in ending {
            let revision = &loaded.revision;
            progress.started(&revision.service, Step::Drain);
            let began = Instant::now();
            revision.pool.settled().await;
            progress.finished(&revision.service, Step::Drain, began.elapsed(), None);
            self.announce_end(&loaded).await;
            let service = revision.service.clone();
            // It held its links while it drained.
            drop(loaded);
            self.parts.telemetry.metrics.forget_unused(&service);
        }
    }

    /// As [`Deployments::drain`], when nobody waits for it.
    pub(super) fn drain_in_background(self: &Arc<Self>, ending: Vec<Loaded>) {
        let deployments = self.clone();
        tokio::spawn(async move {
            let silent = Progress::silent(&deployments.parts.telemetry.metrics);
            deployments.drain(ending, &silent).await;
        });
    }

    /// Drops the guards and the measurements of revisions that did not come to be: their
    /// numbers come again, with settings of their own, or never.
    pub(super) async fn forget_unless_loaded(&self, service: &str, numbers: Vec<u64>) {
        let state = self.turn().await;
        let numbers = numbers.into_iter();
        for number in numbers.filter(|number| !state.has_loaded(service, *number)) {
            self.parts.forget(service, number);
        }
    }
}

// === impl Turn ===

impl Deref for Turn {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

// === impl State ===

impl State {
    /// Has the live revisions of a service keep instances, but while it is drained.
    fn set_pools(&self, name: &str) {
        let Some(deployed) = self.services.get(name) else {
            return;
        };
        let drained = self.drained.contains(name);
        for (_, loaded) in deployed.live() {
            match drained {
                true => loaded.revision.pool.drain(),
                false => loaded.revision.pool.resume(),
            }
        }
    }

    /// Has revisions read the values, and pools have the sizes, that are set now.
    fn set_values(&self, effects: &Effects) {
        for deployed in effects
            .values
            .iter()
            .filter_map(|name| self.services.get(name))
        {
            let values = deployed.record.config.overrides.clone();
            deployed.overrides.replace(values);
        }
        for deployed in effects
            .sizes
            .iter()
            .filter_map(|name| self.services.get(name))
        {
            let Some(size) = deployed.record.scale else {
                continue;
            };
            for loaded in deployed.loaded.values() {
                loaded.revision.pool.scale(size.min, size.max);
            }
        }
    }
}
