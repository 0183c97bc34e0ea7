//! Who registered, and for how long: leases, overrides, and what changed lately.
//!
//! Kept in memory: a client that is not known any more is told so at its next
//! heartbeat, and registers again. Time is passed in by the runtime's clock, so
//! that tests can pause it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::model::{Action, Instance, Status};

/// How long a change is told in the delta: clients ask every 30 s, and one may be
/// missed. Netflix's server has the same.
const RECENT: Duration = Duration::from_secs(180);
/// Changes that are told at most; a client that misses some sees it by the
/// hashcode and reads all.
const CHANGES: usize = 10_000;
/// Instances at most: far above any fleet behind one host.
const MOST: usize = 10_000;

/// Hears of each change of an application.
pub trait Sink: Send + Sync {
    /// These are all instances of an application now.
    fn changed(&self, app: &str, instances: &[Arc<Instance>]);

    /// An instance was heard of.
    fn renewed(&self, instance: &Instance);
}

/// All registered instances.
pub struct Registry {
    state: Mutex<State>,
    sink: Box<dyn Sink>,
}

#[derive(Default)]
struct State {
    apps: BTreeMap<String, BTreeMap<String, Held>>,
    /// Oldest first, each as it was after its change.
    recent: VecDeque<(Instant, Arc<Instance>)>,
    /// Counts changes.
    version: u64,
}

struct Held {
    instance: Arc<Instance>,
    renewed: Instant,
}

/// An application and its instances.
pub type Application = (String, Vec<Arc<Instance>>);

/// There is room for no more.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Registry {
    /// Nobody yet.
    pub fn new(sink: Box<dyn Sink>) -> Self {
        Self {
            state: Mutex::default(),
            sink,
        }
    }

    /// Takes an instance in, or what is new of one that is there. An operator's
    /// override stays.
    ///
    /// # Errors
    /// When there are too many.
    pub fn register(&self, mut instance: Instance) -> Result<(), Full> {
        let mut state = self.lock();
        let known = state.find(&instance.app, &instance.id);
        let (registered, up) = known.map_or((0, 0), |held| {
            instance.overridden = held.instance.overridden;
            (held.instance.lease.registered, held.instance.lease.up)
        });
        let is_new = known.is_none();
        if is_new && state.count() >= MOST {
            return Err(Full);
        }
        let now = millis();
        instance.lease.registered = if is_new { now } else { registered };
        instance.lease.renewed = now;
        instance.lease.up = up;
        let action = if is_new {
            Action::Added
        } else {
            Action::Modified
        };
        let told = instance.clone();
        self.store(&mut state, instance, action, Instant::now());
        self.sink.renewed(&told);
        Ok(())
    }

    /// A heartbeat; `false` asks the client to register again: the instance is not
    /// known, or the client's own copy (`dirty`) is newer.
    pub fn renew(&self, app: &str, id: &str, dirty: Option<u64>) -> bool {
        let mut state = self.lock();
        let Some(held) = state.find_mut(app, id) else {
            return false;
        };
        if dirty.is_some_and(|dirty| dirty > held.instance.dirty) {
            return false;
        }
        held.renewed = Instant::now();
        Arc::make_mut(&mut held.instance).lease.renewed = millis();
        self.sink.renewed(&held.instance);
        true
    }

    /// Takes an instance out; `false` when there is none.
    pub fn cancel(&self, app: &str, id: &str) -> bool {
        let mut state = self.lock();
        let app = app.to_uppercase();
        self.remove(&mut state, &app, id)
    }

    /// Changes an instance; `false` when there is none.
    pub fn change(&self, app: &str, id: &str, change: impl FnOnce(&mut Instance)) -> bool {
        let mut state = self.lock();
        let Some(held) = state.find(app, id) else {
            return false;
        };
        let renewed = held.renewed;
        let mut instance = Instance::clone(&held.instance);
        change(&mut instance);
        self.store(&mut state, instance, Action::Modified, renewed);
        true
    }

    /// Takes out who was not heard of for its lease. Where many are late at once the
    /// network is likelier to be at fault than they are: of those at most a share
    /// goes in one sweep, the longest silent first.
    pub fn sweep(&self) {
        let mut state = self.lock();
        let now = Instant::now();
        let mut late: Vec<_> = state
            .apps
            .iter()
            .flat_map(|(app, held)| held.iter().map(move |(id, held)| (app, id, held)))
            .filter_map(|(app, id, held)| {
                let lease = Duration::from_secs(held.instance.lease.duration);
                let over = now.duration_since(held.renewed).checked_sub(lease)?;
                Some((over, app.clone(), id.clone()))
            })
            .collect();
        late.sort_unstable_by(|a, b| b.cmp(a));
        late.truncate(cap(state.count()));
        for (over, app, id) in late {
            tracing::warn!(
                app,
                instance = id,
                "not heard of since its lease ended {over:?} ago: taken out"
            );
            self.remove(&mut state, &app, &id);
        }
    }

    /// All applications.
    pub fn apps(&self) -> Vec<Application> {
        self.lock().all(|_| true)
    }

    /// Instances with a virtual address; `key` says which kind.
    pub fn with_vip(&self, key: &str, vip: &str) -> Vec<Application> {
        self.lock().all(|instance| instance.has_vip(key, vip))
    }

    /// The instances of an application.
    pub fn app(&self, app: &str) -> Option<Application> {
        let state = self.lock();
        let app = app.to_uppercase();
        let held = state.apps.get(&app)?;
        Some((
            app,
            held.values().map(|held| held.instance.clone()).collect(),
        ))
    }

    /// One instance.
    pub fn instance(&self, app: &str, id: &str) -> Option<Arc<Instance>> {
        Some(self.lock().find(app, id)?.instance.clone())
    }

    /// One instance of any application.
    pub fn instance_anywhere(&self, id: &str) -> Option<Arc<Instance>> {
        let state = self.lock();
        let found = state.apps.values().find_map(|held| held.get(id));
        found.map(|held| held.instance.clone())
    }

    /// What changed lately, each instance as it is after its last change; the
    /// number of changes so far; and the hashcode of all instances.
    pub fn delta(&self) -> (Vec<Application>, u64, String) {
        let mut state = self.lock();
        let now = Instant::now();
        while state
            .recent
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) > RECENT)
        {
            state.recent.pop_front();
        }
        let mut last = BTreeMap::<_, BTreeMap<_, _>>::new();
        for (_, instance) in &state.recent {
            let app = last.entry(instance.app.clone()).or_default();
            app.insert(instance.id.clone(), instance.clone());
        }
        let apps = last
            .into_iter()
            .map(|(app, instances)| (app, instances.into_values().collect()));
        (
            apps.collect(),
            state.version,
            hashcode(&state.all(|_| true)),
        )
    }

    /// Counts changes.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    fn store(&self, state: &mut State, mut instance: Instance, action: Action, renewed: Instant) {
        instance.updated = millis();
        instance.action = action;
        if instance.status() == Status::Up && instance.lease.up == 0 {
            instance.lease.up = instance.updated;
        }
        let instance = Arc::new(instance);
        let app = state.apps.entry(instance.app.clone()).or_default();
        app.insert(
            instance.id.clone(),
            Held {
                instance: instance.clone(),
                renewed,
            },
        );
        self.tell(state, instance);
    }

    fn remove(&self, state: &mut State, app: &str, id: &str) -> bool {
        let Some(held) = state.apps.get_mut(app).and_then(|held| held.remove(id)) else {
            return false;
        };
        state.apps.retain(|_, held| !held.is_empty());
        let mut instance = Instance::clone(&held.instance);
        instance.action = Action::Deleted;
        instance.updated = millis();
        self.tell(state, Arc::new(instance));
        true
    }

    fn tell(&self, state: &mut State, changed: Arc<Instance>) {
        state.version += 1;
        let instances: Vec<_> = state
            .apps
            .get(&changed.app)
            .into_iter()
            .flat_map(|held| held.values().map(|held| held.instance.clone()))
            .collect();
        self.sink.changed(&changed.app, &instances);
        if state.recent.len() == CHANGES {
            state.recent.pop_front();
        }
        state.recent.push_back((Instant::now(), changed));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each step under the lock leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Statuses with their numbers, as clients compare them: `DOWN_1_UP_8_`.
pub fn hashcode(apps: &[Application]) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for instance in apps.iter().flat_map(|(_, instances)| instances) {
        *counts.entry(instance.status().name()).or_default() += 1;
    }
    counts
        .iter()
        .map(|(status, count)| format!("{status}_{count}_"))
        .collect()
}

/// How many of so many instances may go in one sweep: 15 %, as Netflix's server
/// has it, and a few where there are few.
fn cap(count: usize) -> usize {
    (count * 15 / 100).max(2)
}

fn millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

// === impl State ===

impl State {
    fn find(&self, app: &str, id: &str) -> Option<&Held> {
        self.apps.get(&app.to_uppercase())?.get(id)
    }

    fn find_mut(&mut self, app: &str, id: &str) -> Option<&mut Held> {
        self.apps.get_mut(&app.to_uppercase())?.get_mut(id)
    }

    fn count(&self) -> usize {
        self.apps.values().map(BTreeMap::len).sum()
    }

    fn all(&self, wanted: impl Fn(&Instance) -> bool) -> Vec<Application> {
        let apps = self.apps.iter().map(|(app, held)| {
            let instances = held.values().map(|held| held.instance.clone());
            (
                app.clone(),
                instances.filter(|instance| wanted(instance)).collect(),
            )
        });
        apps.filter(|(_, instances): &Application| !instances.is_empty())
            .collect()
    }
}

#[cfg(test)]
mod tests;
