//! `wasi:config`: a service's configuration, live.
//!
//! A change is seen by the next read, in instances that run already too. Values
//! are read from a snapshot: one `get-all` never mixes two configurations.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower};

use super::View;

/// The configuration of one service, shared by all its instances.
#[derive(Debug, Clone, Default)]
pub struct LiveConfig(Arc<ArcSwap<BTreeMap<String, String>>>);

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
                let value = store.data_mut().capabilities().ctx.granted.config.get(&key);
                Ok((Ok::<_, Error>(value),))
            },
        )?;
        interface.func_wrap("get-all", |mut store: StoreContextMut<'_, T>, (): ()| {
            let all = store
                .data_mut()
                .capabilities()
                .ctx
                .granted
                .config
                .snapshot();
            let all: Vec<_> = all
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            Ok((Ok::<_, Error>(all),))
        })?;
    }
    Ok(())
}

impl LiveConfig {
    /// A configuration to begin with.
    pub fn new(values: BTreeMap<String, String>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(values)))
    }

    /// Puts `values` in the place of all that is there.
    pub fn replace(&self, values: BTreeMap<String, String>) {
        self.0.store(Arc::new(values));
    }

    /// One value.
    pub fn get(&self, key: &str) -> Option<String> {
        self.0.load().get(key).cloned()
    }

    /// All values as they are now.
    pub fn snapshot(&self) -> Arc<BTreeMap<String, String>> {
        self.0.load_full()
    }
}
