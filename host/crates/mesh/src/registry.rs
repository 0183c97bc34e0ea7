//! Which services are live, and who exports which interface.
//!
//! The registry is one immutable [`Snapshot`] behind one pointer: a call reads it
//! without a lock, a deployment replaces it whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::split::pick;
use stoa_service::contract::InterfaceName;
use stoa_service::revision::Revision;

/// A revision that gets traffic.
#[derive(Clone)]
pub struct Live {
    /// The revision.
    pub revision: Arc<Revision>,
    /// Its share of the calls in per cent. Together they are 100.
    pub weight: u8,
}

/// A service and its live revisions.
#[derive(Clone)]
pub struct Service {
    /// Its name.
    pub name: Arc<str>,
    /// Heaviest first, never empty.
    pub live: Vec<Live>,
}

impl Service {
    /// The revision that gets most of the traffic.
    pub fn primary(&self) -> &Arc<Revision> {
        &self.live[0].revision
    }

    /// The revision for the next call, by the traffic split.
    pub fn pick(&self) -> &Arc<Revision> {
        &pick(&self.live, |live| live.weight).revision
    }
}

/// The registry at one moment.
#[derive(Default)]
pub struct Snapshot {
    /// Counts changes since the host started.
    pub version: u64,
    /// All services, by name.
    pub services: Services,
    /// Interface and version track → the services that export it.
    providers: HashMap<String, Vec<Arc<Service>>>,
}

/// Services by name.
pub type Services = BTreeMap<Arc<str>, Arc<Service>>;

impl Snapshot {
    /// A snapshot of these services.
    pub fn new(version: u64, services: Services) -> Self {
        let mut providers: HashMap<String, Vec<Arc<Service>>> = HashMap::new();
        for service in services.values() {
            for track in service.primary().tracks() {
                providers
                    .entry(track.to_owned())
                    .or_default()
                    .push(service.clone());
            }
        }
        Self {
            version,
            services,
            providers,
        }
    }

    /// The services that export an interface in a compatible version.
    pub fn providers(&self, interface: &InterfaceName) -> &[Arc<Service>] {
        self.providers_of_track(&interface.track())
    }

    /// As [`Snapshot::providers`], by [`InterfaceName::track`].
    pub fn providers_of_track(&self, track: &str) -> &[Arc<Service>] {
        self.providers.get(track).map_or(&[], Vec::as_slice)
    }
}

/// The current snapshot.
#[derive(Default)]
pub struct Registry {
    current: ArcSwap<Snapshot>,
    change: Mutex<()>,
}

impl Registry {
    /// The registry as it is now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Reads the registry as it is now, for a moment.
    pub fn read<T>(&self, read: impl FnOnce(&Snapshot) -> T) -> T {
        read(&self.current.load())
    }

    /// Replaces services, or removes those with `None`, all in one step.
    pub fn publish(&self, changes: BTreeMap<Arc<str>, Option<Arc<Service>>>) -> Arc<Snapshot> {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current.load();
        let mut services = before.services.clone();
        for (name, change) in changes {
            match change {
                Some(service) => services.insert(name, service),
                None => services.remove(&name),
            };
        }
        let after = Arc::new(Snapshot::new(before.version + 1, services));
        self.current.store(after.clone());
        after
    }
}
