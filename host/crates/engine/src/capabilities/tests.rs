//! Components link to every name, and their calls arrive, in both engines.

use futures::future::BoxFuture;
use prometheus_client::metrics::counter::Counter;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use wasmtime_wasi_http::WasiBody;

use tempfile::TempDir;
use wasmtime::component::Component;
use wasmtime::{Config, Engine};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WorldId};

use super::config::Overrides;
use super::logging::Level;
use super::outbound::outgoing::{Allowance, Neighbours, Outgoing, Passage};
use super::*;
use stoa_call::CallContext;
use stoa_store::Store;
use stoa_store::secrets::Secrets;

/// The data of a test's instance.
pub(super) struct Data {
    pub(super) capabilities: Capabilities,
    pub(super) table: ResourceTable,
}

impl View for Data {
    fn capabilities(&mut self) -> CapabilitiesView<'_> {
        CapabilitiesView {
            ctx: &mut self.capabilities,
            table: &mut self.table,
        }
    }
}

/// Keeps what a guest logs.
#[derive(Default)]
struct Kept(Mutex<Vec<(Level, String, String)>>);

impl GuestLog for Kept {
    fn log(&self, level: Level, context: &str, message: &str, _: &CallContext) {
        self.0
            .lock()
            .unwrap()
            .push((level, context.to_owned(), message.to_owned()));
    }
}

/// No service is reached by HTTP here.
struct Nobody;

impl Neighbours for Nobody {
    fn send(
        &self,
        _: Passage,
        _: http::Request<WasiBody>,
        _: CallContext,
    ) -> BoxFuture<'static, Result<http::Response<WasiBody>, wasmtime_wasi_http::Error>> {
        Box::pin(async { Err(wasmtime_wasi_http::Error::DestinationNotFound) })
    }
}

/// An instance of `order` that may use `buckets`.
pub(super) fn data(store: &Store, buckets: &[&str], limits: keyvalue::Limits) -> Data {
    data_of(Granted {
        limits,
        ..granted(store, buckets)
    })
}

/// An instance of `order` with these limits of its blobs.
pub(super) fn blob_data(store: &Store, blob_limits: blobs::Limits) -> Data {
    data_of(Granted {
        blob_limits,
        ..granted(store, &[])
    })
}

fn config(overrides: Overrides) -> LiveConfig {
    LiveConfig::new(BTreeMap::from([("region".into(), "eu".into())]), overrides)
}

fn granted(store: &Store, buckets: &[&str]) -> Granted {
    Granted {
        service: "order".into(),
        keyvalue: store.keyvalue(),
        commits: store.commits(),
        buckets: buckets.iter().map(|bucket| (*bucket).to_owned()).collect(),
        limits: keyvalue::Limits::default(),
        blobs: store.blobs(),
        containers: Vec::new(),
        blob_limits: blobs::Limits::of(1 << 20),
        config: config(Overrides::default()),
        answers: Arc::new(()),
        secrets: Arc::new(Secrets::new(store.records(), "unused.key".into())),
        secret_names: vec!["granted".into()],
        outgoing: Arc::new(Outgoing::new(
            Allowance {
                service: &"order".into(),
                grants: &[],
                connections: 1,
            },
            &Arc::default(),
            Counter::default(),
            Arc::new(Nobody),
        )),
        refused: Counter::default(),
        log: Arc::new(Kept::default()),
        region: Some("eu".into()),
    }
}

fn data_of(granted: Granted) -> Data {
    let call = CurrentCall::new(CallContext::new(Instant::now() + Duration::from_secs(30)));
    Data {
        capabilities: Capabilities::new(Arc::new(granted), call),
        table: ResourceTable::new(),
    }
}

pub(super) fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn engines() -> [Engine; 2] {
    let mut plain = Config::new();
    plain
        .wasm_component_model_async(false)
        .concurrency_support(false);
    let mut concurrent = Config::new();
    concurrent
        .wasm_component_model_async(true)
        .concurrency_support(true);
    [plain, concurrent].map(|config| Engine::new(&config).unwrap())
}

fn linker(engine: &Engine) -> Linker<Data> {
    let mut linker = Linker::new(engine);
    add_to_linker(&mut linker).unwrap();
    linker
}

fn component(resolve: &Resolve, world: WorldId, mut module: Vec<u8>) -> Vec<u8> {
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
}

/// A component that imports every function of a world.
fn importer(resolve: &Resolve, world: WorldId) -> Vec<u8> {
    let module = dummy_module(resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    component(resolve, world, module)
}

fn in_folder(folder: &str, world: &str) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (package, _) = resolve.push_dir(folder).unwrap();
    let package = if world.starts_with("package") {
        resolve.push_str("world.wit", world).unwrap()
    } else {
        package
    };
    let world = resolve.select_world(&[package], None).unwrap();
    (resolve, world)
}

fn in_text(wit: &str) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("world.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    (resolve, world)
}

async fn instantiates(resolve: &Resolve, world: WorldId, imports: &[&str]) {
    let (_dir, store) = store();
    let bytes = importer(resolve, world);
    for engine in engines() {
        let component = Component::new(&engine, &bytes).unwrap();
        let types = component.component_type();
        let found: BTreeSet<_> = types.imports(&engine).map(|(name, _)| name).collect();
        assert_eq!(
            found,
            imports.iter().copied().collect(),
            "the component tests what it should"
        );
        let mut store =
            wasmtime::Store::new(&engine, data(&store, &[], keyvalue::Limits::default()));
        linker(&engine)
            .instantiate_async(&mut store, &component)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn keyvalue_links_in_both_drafts() {
    for version in ["draft", "draft2"] {
        let (resolve, world) = in_folder(&format!("src/capabilities/wit/keyvalue-{version}"), "");
        let names = ["store", "atomics", "batch"]
            .map(|name| format!("wasi:keyvalue/{name}@0.2.0-{version}"));
        instantiates(&resolve, world, &names.each_ref().map(|name| &name[..])).await;
    }
}

#[tokio::test]
async fn config_links_under_each_name() {
    for (interface, version) in [
        ("store", "0.2.0-rc.1"),
        ("store", "0.2.0-draft"),
        ("store", "0.2.0-draft-2024-09-27"),
        ("runtime", "0.2.0-draft"),
    ] {
        let (resolve, world) = in_text(&format!(
            "package wasi:config@{version};
            interface {interface} {{
                variant error {{ upstream(string), io(string) }}
                get: func(key: string) -> result<option<string>, error>;
                get-all: func() -> result<list<tuple<string, string>>, error>;
            }}
            world imports {{ import {interface}; }}"
        ));
        instantiates(
            &resolve,
            world,
            &[&format!("wasi:config/{interface}@{version}")],
        )
        .await;
    }
}

#[tokio::test]
async fn logging_links_with_and_without_a_version() {
    for version in ["@0.1.0-draft", ""] {
        let (resolve, world) = in_text(&format!(
            "package wasi:logging{version};
            interface logging {{
                enum level {{ trace, debug, info, warn, error, critical }}
                log: func(level: level, context: string, message: string);
            }}
            world imports {{ import logging; }}"
        ));
        instantiates(
            &resolve,
            world,
            &[&format!("wasi:logging/logging{version}")],
        )
        .await;
    }
}

#[tokio::test]
async fn the_service_contract_links_with_its_types() {
    let (resolve, world) = in_folder(
        "../../../wit/stoa-service",
        "package shop:test;
        world service {
            use stoa:service/types@0.1.0.{error};
            import stoa:service/context@0.1.0;
            export stoa:service/health@0.1.0;
            export get: func() -> result<string, error>;
        }",
    );
    instantiates(
        &resolve,
        world,
        &["stoa:service/types@0.1.0", "stoa:service/context@0.1.0"],
    )
    .await;
}

/// Opens the default bucket, adds 5 to `n` there, and returns the sum.
const COUNTER: &str = r#"(module
    (import "wasi:keyvalue/store@0.2.0-draft2" "open" (func $open (param i32 i32 i32)))
    (import "wasi:keyvalue/atomics@0.2.0-draft2" "increment" (func $increment (param i32 i32 i32 i64 i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "n")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "count") (result i64)
        (call $open (i32.const 0) (i32.const 0) (i32.const 16))
        (call $increment (i32.load (i32.const 20)) (i32.const 0) (i32.const 1) (i64.const 5) (i32.const 32))
        (i64.load (i32.const 40))))"#;

#[tokio::test]
async fn a_guest_waits_for_its_write() {
    let (_dir, state) = store();
    let (resolve, world) = in_folder(
        "src/capabilities/wit/keyvalue-draft2",
        "package shop:test;
        world counter {
            import wasi:keyvalue/store@0.2.0-draft2;
            import wasi:keyvalue/atomics@0.2.0-draft2;
            export count: func() -> s64;
        }",
    );
    let bytes = component(&resolve, world, wat::parse_str(COUNTER).unwrap());
    for (engine, sums) in engines().iter().zip([[5, 10], [15, 20]]) {
        let component = Component::new(engine, &bytes).unwrap();
        let mut store =
            wasmtime::Store::new(engine, data(&state, &[], keyvalue::Limits::default()));
        let instance = linker(engine)
            .instantiate_async(&mut store, &component)
            .await
            .unwrap();
        let count = instance
            .get_typed_func::<(), (i64,)>(&mut store, "count")
            .unwrap();
        for sum in sums {
            assert_eq!(count.call_async(&mut store, ()).await.unwrap(), (sum,));
        }
    }
}

/// Logs "region" as a warning about "re", and returns the length of its value.
const READER: &str = r#"(module
    (import "wasi:config/store@0.2.0-rc.1" "get" (func $get (param i32 i32 i32)))
    (import "wasi:logging/logging" "log" (func $log (param i32 i32 i32 i32 i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "region")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "read") (result i32)
        (call $log (i32.const 3) (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 6))
        (call $get (i32.const 0) (i32.const 6) (i32.const 16))
        (i32.load (i32.const 28))))"#;

#[tokio::test]
async fn a_guest_reads_live_configuration_and_logs() {
    let (_dir, state) = store();
    let mut resolve = Resolve::default();
    for wit in [
        "package wasi:config@0.2.0-rc.1;
        interface store {
            variant error { upstream(string), io(string) }
            get: func(key: string) -> result<option<string>, error>;
        }",
        "package wasi:logging;
        interface logging {
            enum level { trace, debug, info, warn, error, critical }
            log: func(level: level, context: string, message: string);
        }",
    ] {
        resolve.push_str("deps.wit", wit).unwrap();
    }
    let wit = "package shop:test;
        world reader {
            import wasi:config/store@0.2.0-rc.1;
            import wasi:logging/logging;
            export read: func() -> u32;
        }";
    let package = resolve.push_str("world.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let bytes = component(&resolve, world, wat::parse_str(READER).unwrap());
    for engine in engines() {
        let (log, overrides) = (Arc::new(Kept::default()), Overrides::default());
        let data = data_of(Granted {
            log: log.clone(),
            config: config(overrides.clone()),
            ..granted(&state, &[])
        });
        let component = Component::new(&engine, &bytes).unwrap();
        let mut store = wasmtime::Store::new(&engine, data);
        let instance = linker(&engine)
            .instantiate_async(&mut store, &component)
            .await
            .unwrap();
        let read = instance
            .get_typed_func::<(), (u32,)>(&mut store, "read")
            .unwrap();
        assert_eq!(read.call_async(&mut store, ()).await.unwrap(), (2,));
        overrides.replace(BTreeMap::from([("region".into(), "eu-north".into())]));
        assert_eq!(
            read.call_async(&mut store, ()).await.unwrap(),
            (8,),
            "a change is seen by the next read"
        );
        let message = (Level::Warn, "re".to_owned(), "region".to_owned());
        assert_eq!(*log.0.lock().unwrap(), [message.clone(), message]);
    }
}
