//! The two engines, their linkers and the cache of compiled code.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use super::cache::Cache;
use super::code::Code;
use super::config::{Flavor, config};
use super::epoch::Ticker;
use super::handler_link::{self, HandlerLink};
use super::link::{self, Link};
use super::link_fault::LinkFault;
use super::resident::Resident;
use super::state::State;
use super::value::FunctionType;
use crate::capabilities;

/// Sizes of the engines.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Component instances at most, in each of the two engines.
    pub instances: u32,
    /// Linear memory that any one instance may be given, in bytes.
    pub max_memory: u64,
    /// How long a busy guest runs before others get their turn.
    pub epoch: Duration,
    /// Folder for compiled code.
    pub cache: PathBuf,
}

/// Why the runtime could not start, compile or link.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The machine or the settings don't allow an engine.
    #[error("the WebAssembly engine could not start: {0:#}")]
    Engine(wasmtime::Error),
    /// The folder for compiled code can't be used.
    #[error("the folder for compiled code can't be used: {0}")]
    Cache(#[source] io::Error),
    /// No thread for the epoch clock.
    #[error("no thread for the clock that interrupts components: {0}")]
    Clock(#[source] io::Error),
    /// The component is not valid, or uses what the engine lacks.
    #[error(
        "expected a component that this engine can run, found: {0:#}; build it without what is named"
    )]
    Compile(wasmtime::Error),
    /// An import can't be met.
    #[error(transparent)]
    Link(LinkFault),
}

/// Where native code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was made now.
    Compiled,
    /// It was in memory or on disk.
    Cache,
}

/// A compiled component that is not linked yet. Cheap to clone.
#[derive(Clone)]
pub struct Compiled {
    pub(super) component: Arc<Component>,
    flavor: Flavor,
}

impl Compiled {
    /// The functions of an imported interface, named with its version.
    pub fn imported_functions(&self, interface: &str) -> Vec<(String, FunctionType)> {
        let engine = self.component.engine();
        let imports = self.component.component_type();
        let Some(import) = imports.get_import(engine, interface) else {
            return Vec::new();
        };
        let ComponentItem::ComponentInstance(instance) = import.ty else {
            return Vec::new();
        };
        let functions = instance
            .exports(engine)
            .filter_map(|(name, export)| match export.ty {
                ComponentItem::ComponentFunc(ty) => Some((name.to_owned(), ty)),
                _ => None,
            });
        functions.collect()
    }
}

/// The engines. One for each host.
pub struct Runtime {
    sync: Lane,
    asynchronous: Lane,
    cache: Cache,
    resident: Resident,
    _ticker: Ticker,
}

struct Lane {
    engine: Engine,
    linker: Linker<State>,
    compatibility: u64,
}

impl Runtime {
    /// Starts both engines.
    ///
    /// # Errors
    ///
    /// When the address space, the cache folder or a thread can't be had.
    pub fn new(settings: &EngineSettings) -> Result<Self, RuntimeError> {
        let sync = Lane::new(Flavor::Sync, settings)?;
        let asynchronous = Lane::new(Flavor::Async, settings)?;
        let engines = vec![sync.engine.clone(), asynchronous.engine.clone()];
        Ok(Self {
            sync,
            asynchronous,
            cache: Cache::open(settings.cache.clone()).map_err(RuntimeError::Cache)?,
            resident: Resident::default(),
            _ticker: Ticker::start(engines, settings.epoch).map_err(RuntimeError::Clock)?,
        })
    }

    /// Native code for a component, from the cache or made now. Takes as long as
    /// compiling does: not for a thread that serves requests.
    ///
    /// `digest` is the SHA-256 of `bytes`; `asynchronous` says that the contract
    /// has async functions.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Compile`] when the bytes are no valid component.
    pub fn compile(
        &self,
        bytes: &[u8],
        digest: &str,
        asynchronous: bool,
    ) -> Result<(Compiled, Origin), RuntimeError> {
        let flavor = if asynchronous {
            Flavor::Async
        } else {
            Flavor::Sync
        };
        let lane = self.lane(flavor);
        let name = format!("{digest}-{}", lane.suffix(flavor));
        let (component, origin) = match self.resident.get(&name) {
            Some(component) => (component, Origin::Cache),
            None => {
                let (component, origin) = self.load_or_compile(&name, lane, bytes)?;
                (self.resident.share(name, component), origin)
            }
        };
        Ok((Compiled { component, flavor }, origin))
    }

    fn load_or_compile(
        &self,
        name: &str,
        lane: &Lane,
        bytes: &[u8],
    ) -> Result<(Component, Origin), RuntimeError> {
        let cached = self.cache.load(name);
        if let Some(component) = cached.and_then(|code| lane.deserialize(&code)) {
            return Ok((component, Origin::Cache));
        }
        let component =
            Component::from_binary(&lane.engine, bytes).map_err(RuntimeError::Compile)?;
        let code = component.serialize().map_err(RuntimeError::Compile)?;
        if let Err(error) = self.cache.store(name, &code) {
            tracing::warn!(%error, name, "compiled code could not be kept; the next start compiles again");
        }
        Ok((component, Origin::Compiled))
    }

    /// Meets the imports of a component: capabilities by the host, the rest by `links`
    /// and `handlers`.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Link`] names the import that nothing meets.
    pub fn link(
        &self,
        compiled: &Compiled,
        links: Vec<Link>,
        handlers: Vec<HandlerLink>,
    ) -> Result<Code, RuntimeError> {
        let refused = |error: wasmtime::Error| RuntimeError::Link(LinkFault::new(&error));
        let mut linker = self.lane(compiled.flavor).linker.clone();
        for link in links {
            link::define(&mut linker, link).map_err(refused)?;
        }
        for link in handlers {
            handler_link::define(&mut linker, link).map_err(refused)?;
        }
        let pre = linker
            .instantiate_pre(&compiled.component)
            .map_err(refused)?;
        Code::new(pre, compiled.component.clone(), compiled.flavor).map_err(refused)
    }

    /// Removes compiled code from the disk that is of none of these components or not
    /// for these engines, and what a crash `before` then left. Gives the bytes of the rest.
    pub fn sweep(&self, components: &HashSet<String>, before: SystemTime) -> u64 {
        let of = |flavor: Flavor| format!("-{}", self.lane(flavor).suffix(flavor));
        let (sync, asynchronous) = (of(Flavor::Sync), of(Flavor::Async));
        let needed = |name: &str| {
            let digest = name
                .strip_suffix(&*sync)
                .or_else(|| name.strip_suffix(&*asynchronous));
            digest.is_some_and(|digest| components.contains(digest))
        };
        self.cache.sweep(needed, before)
    }

    fn lane(&self, flavor: Flavor) -> &Lane {
        match flavor {
            Flavor::Sync => &self.sync,
            Flavor::Async => &self.asynchronous,
        }
    }
}

// === impl Lane ===

impl Lane {
    fn new(flavor: Flavor, settings: &EngineSettings) -> Result<Self, RuntimeError> {
        let engine = Engine::new(&config(flavor, settings)).map_err(RuntimeError::Engine)?;
        let linker = host_linker(&engine, flavor).map_err(RuntimeError::Engine)?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self {
            engine,
            linker,
            compatibility: hasher.finish(),
        })
    }

    /// What the names of its code end with.
    fn suffix(&self, flavor: Flavor) -> String {
        format!("{}-{:016x}", flavor.name(), self.compatibility)
    }

    /// Loading native code is trusting it: callers pass only what the cache has verified.
    #[expect(
        unsafe_code,
        reason = "the one way to load precompiled code; its bytes carry this host's keyed hash"
    )]
    fn deserialize(&self, code: &[u8]) -> Option<Component> {
        // SAFETY: `Cache::load` returns only bytes that this host wrote after
        // compiling them, by a keyed hash over name and content; the name holds
        // the engine's compatibility hash.
        match unsafe { Component::deserialize(&self.engine, code) } {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(%error, "compiled code in the cache does not fit this engine; compiling again");
                None
            }
        }
    }
}

/// All that the host offers to any component. Linking is not granting: what a
/// service may do is checked at each call.
fn host_linker(engine: &Engine, flavor: Flavor) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    if flavor == Flavor::Async {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    capabilities::add_to_linker(&mut linker)?;
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host_imports;

    /// What messages say that the host has, it has.
    #[test]
    fn listed_items_are_in_the_linker() {
        let settings = EngineSettings {
            instances: 1,
            max_memory: 1 << 20,
            epoch: Duration::from_millis(10),
            cache: PathBuf::new(),
        };
        let lane = Lane::new(Flavor::Async, &settings).unwrap();
        let mut linker = lane.linker;
        for line in host_imports::LIST.lines() {
            let mut words = line.split(' ');
            let interface = words.next().unwrap();
            for item in words {
                let mut instance = linker.instance(interface).unwrap();
                // A name is defined once.
                let defined = instance.func_new(item, |_, _, _, _| Ok(()));
                assert!(defined.is_err(), "{interface} has no {item}");
            }
        }
    }
}
