//! `wasi:config`: a service's configuration, live.
//!
//! What the operator set goes before what the manifest says. A change reaches all
//! revisions of the service at the same moment, and instances that run already:
//! it is seen from the next call on. A call reads one snapshot, taken at its
//! first read; in an instance that serves several calls at once each read takes
//! its own, and one `get-all` never mixes two configurations.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower};

use super::View;

/// Keys and their values.
pub type Values = BTreeMap<String, String>;

/// The configuration of one revision, shared by all its instances.
#[derive(Debug, Clone, Default)]
pub struct LiveConfig {
    manifest: Arc<Values>,
    overrides: Overrides,
}

/// What the operator set for a service. Clones share it: all revisions of the
/// service change together.
#[derive(Debug, Clone, Default)]
pub struct Overrides(Arc<ArcSwap<Values>>);

/// A configuration at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    manifest: Arc<Values>,
    overrides: Arc<Values>,
}

/// The snapshot of the call that an instance serves.
#[derive(Debug, Default)]
pub(super) enum Pinned {
    /// Several calls may share the instance: none has a snapshot of its own.
    #[default]
    Never,
    /// The call has read nothing yet.
    Open,
    /// What the call reads until its end.
    Held(Snapshot),
}

/// One interface in its history; it has the same functions under each name.
const NAMES: [&str; 4] = [
    // wasmtime and wasmCloud
    "wasi:config/store@0.2.0-rc.1",
    // the proposal's main branch
    "wasi:config/store@0.2.0-draft",
    // Spin
    "wasi:config/store@0.2.0-draft-2024-09-27",
    // before it was renamed
    "wasi:config/runtime@0.2.0-draft",
];

/// `wasi:config/store.error`. Reading memory doesn't fail: never made.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "upstream")]
    #[expect(dead_code, reason = "a case of the interface")]
    Upstream(String),
    #[component(name = "io")]
    #[expect(dead_code, reason = "a case of the interface")]
    Io(String),
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    for name in NAMES {
        let mut interface = linker.instance(name)?;
        interface.func_wrap(
            "get",
            |mut store: StoreContextMut<'_, T>, (key,): (String,)| {
                let config = store.data_mut().capabilities().ctx.config();
                Ok((Ok::<_, Error>(config.get(&key).map(str::to_owned)),))
            },
        )?;
        interface.func_wrap("get-all", |mut store: StoreContextMut<'_, T>, (): ()| {
            let config = store.data_mut().capabilities().ctx.config();
            let all: Vec<_> = config.all().into_iter().collect();
            Ok((Ok::<_, Error>(all),))
        })?;
    }
    Ok(())
}

// === impl LiveConfig ===

impl LiveConfig {
    /// What the manifest says, under what the operator set.
    pub fn new(manifest: Values, overrides: Overrides) -> Self {
        Self {
            manifest: Arc::new(manifest),
            overrides,
        }
    }

    /// The configuration as it is now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            manifest: self.manifest.clone(),
            overrides: self.overrides.0.load_full(),
        }
    }
}

// === impl Overrides ===

impl Overrides {
    /// What is set to begin with.
    pub fn new(values: Values) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(values)))
    }

    /// Puts `values` in the place of all that was set.
    pub fn replace(&self, values: Values) {
        self.0.store(Arc::new(values));
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// One value.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.overrides.get(key).or_else(|| self.manifest.get(key));
        found.map(String::as_str)
    }

    /// All values.
    pub fn all(&self) -> Values {
        merged(&self.manifest, &self.overrides)
    }
}

/// What a service reads: the operator's values go before the manifest's.
pub fn merged(manifest: &Values, overrides: &Values) -> Values {
    let mut all = manifest.clone();
    all.extend(
        overrides
            .iter()
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    all
}

// === impl Pinned ===

impl Pinned {
    /// What the call reads.
    pub(super) fn read(&mut self, config: &LiveConfig) -> Snapshot {
        match self {
            Self::Never => config.snapshot(),
            Self::Held(snapshot) => snapshot.clone(),
            Self::Open => {
                let snapshot = config.snapshot();
                *self = Self::Held(snapshot.clone());
                snapshot
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn the_operators_values_go_first_for_all_revisions_at_once() {
        let overrides = Overrides::default();
        let old = LiveConfig::new(values(&[("a", "1"), ("b", "1")]), overrides.clone());
        let new = LiveConfig::new(values(&[("a", "2")]), overrides.clone());
        overrides.replace(values(&[("b", "9"), ("c", "9")]));
        assert_eq!(
            old.snapshot().all(),
            values(&[("a", "1"), ("b", "9"), ("c", "9")])
        );
        assert_eq!(
            new.snapshot().all(),
            values(&[("a", "2"), ("b", "9"), ("c", "9")])
        );
        overrides.replace(Values::new());
        assert_eq!(old.snapshot().get("b"), Some("1"));
        assert_eq!(new.snapshot().get("b"), None);
    }

    #[test]
    fn a_call_reads_one_snapshot_and_a_shared_instance_what_is_now() {
        let overrides = Overrides::default();
        let config = LiveConfig::new(values(&[("a", "1")]), overrides.clone());
        let (mut pinned, mut shared) = (Pinned::Open, Pinned::Never);
        assert_eq!(pinned.read(&config).get("a"), Some("1"));
        assert_eq!(shared.read(&config).get("a"), Some("1"));
        overrides.replace(values(&[("a", "2")]));
        assert_eq!(pinned.read(&config).get("a"), Some("1"));
        assert_eq!(shared.read(&config).get("a"), Some("2"));
    }
}
