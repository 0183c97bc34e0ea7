//! A whole gateway over one component, for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::identity::Identity;
use super::table::ServiceRoutes;
use super::{Gateway, Neighbourhood, Parts, Table};
use stoa_call::CallContext;
use stoa_engine::capabilities::config::{LiveConfig, Overrides};
use stoa_engine::capabilities::logging::{GuestLog, Level};
use stoa_engine::capabilities::outbound::outgoing::{Allowance, Neighbours, Outgoing};
use stoa_engine::capabilities::{Granted, blobs, keyvalue};
use stoa_engine::{EngineSettings, InstanceSettings, Runtime};
use stoa_http::shutdown::Drainer;
use stoa_mesh::discovery::Discovery;
use stoa_mesh::upstream::Upstreams;
use stoa_mesh::{Guards, Registry};
use stoa_service::contract::Contract;
use stoa_service::pool::{self, Pool};
use stoa_service::reuse::Reuse;
use stoa_service::revision::{self, Revision};
use stoa_service::threads::Threads;
use stoa_settings::Settings;
use stoa_settings::config::Config;
use stoa_store::Store;
use stoa_store::secrets::Secrets;
use stoa_telemetry::Metrics;

/// `test:hello/greeting.greet: func() -> string`.
pub(crate) const GREETING: &str = r#"
    (component
        (core module $m
            (memory (export "memory") 1)
            (data (i32.const 16) "Hello, world!")
            (data (i32.const 8) "\10\00\00\00\0d\00\00\00")
            (func (export "greet") (result i32) i32.const 8))
        (core instance $i (instantiate $m))
        (func $greet (result string) (canon lift (core func $i "greet") (memory $i "memory")))
        (instance $greeting (export "greet" (func $greet)))
        (export "test:hello/greeting@0.1.0" (instance $greeting)))
"#;

/// A gateway, and what it needs while it lives.
pub(crate) struct Hosted {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) drainer: Drainer,
    _runtime: Runtime,
    _store: Store,
    _data: TempDir,
}

/// Writes nothing.
struct Silent;

impl GuestLog for Silent {
    fn log(&self, _: Level, _: &str, _: &str, _: &CallContext) {}
}

/// A gateway with these routes to the component `bytes`, by default settings.
pub(crate) async fn hosted(bytes: &[u8], routes: &[Value]) -> Hosted {
    let data = tempfile::tempdir().unwrap();
    let config = Config {
        data: data.path().to_owned(),
        ..Config::default()
    };
    let store = Store::open(&data.path().join("store")).unwrap();
    let metrics = Arc::new(Metrics::new());
    let drainer = Drainer::new();
    let identity = Identity::open(&config, "token", store.records(), &metrics).await;
    let parts = Parts {
        identity: Arc::new(identity.unwrap()),
        metrics: metrics.clone(),
        answers: store.expiring(),
        holds: drainer.holds(),
        log: store.log(),
    };
    let gateway = Gateway::new(&config, parts);
    let runtime = Runtime::new(&EngineSettings {
        instances: 100,
        max_memory: 16 << 20,
        epoch: config.engine.epoch,
        cache: data.path().join("compiled"),
    });
    let runtime = runtime.unwrap();
    let settings = Settings {
        routes: routes.iter().cloned().map(route).collect(),
        ..Settings::default()
    };
    let guards = Guards::new(&metrics, &Arc::new(Discovery::new(1)));
    let revision = revision(
        bytes,
        settings,
        (&runtime, &store, &guards, &gateway),
        &metrics,
    );
    let plan = |route| {
        let plan = gateway.plan(route, &revision, &guards);
        Arc::new(plan.unwrap_or_else(|faults| panic!("{faults:?}")))
    };
    let plans: Vec<_> = revision.settings.routes.iter().map(plan).collect();
    let routes = ServiceRoutes {
        service: revision.service.clone(),
        live: vec![(100, plans)],
    };
    gateway.publish(Table::build(&[routes]).unwrap());
    Hosted {
        gateway,
        drainer,
        _runtime: runtime,
        _store: store,
        _data: data,
    }
}

fn route(route: Value) -> stoa_settings::Route {
    serde_json::from_value(route).unwrap()
}

fn revision(
    bytes: &[u8],
    settings: Settings,
    (runtime, store, guards, gateway): (&Runtime, &Store, &Arc<Guards>, &Arc<Gateway>),
    metrics: &Arc<Metrics>,
) -> Arc<Revision> {
    let service: Arc<str> = "service".into();
    let contract = Arc::new(Contract::read(bytes).unwrap());
    let compiled = runtime.compile(bytes, "digest", contract.is_async());
    let (compiled, _) = compiled.unwrap();
    let code = Arc::new(runtime.link(&compiled, Vec::new(), Vec::new()).unwrap());
    let neighbours = Neighbourhood {
        gateway: Arc::downgrade(gateway),
        registry: Arc::downgrade(&Arc::new(Registry::default())),
        upstreams: Upstreams::new(Arc::default(), metrics.clone(), guards.intakes().clone()),
        guards: guards.clone(),
        metrics: metrics.clone(),
    };
    let neighbours: Arc<dyn Neighbours> = Arc::new(neighbours);
    let granted = Granted {
        service: service.clone(),
        keyvalue: store.keyvalue(),
        commits: store.commits(),
        buckets: Vec::new(),
        limits: keyvalue::Limits::default(),
        blobs: store.blobs(),
        containers: Vec::new(),
        blob_limits: blobs::Limits::of(0),
        config: LiveConfig::new(BTreeMap::new(), Overrides::default()),
        answers: Arc::new(()),
        secrets: Arc::new(Secrets::new(store.records(), "unused.key".into())),
        secret_names: Vec::new(),
        outgoing: Arc::new(Outgoing::new(
            Allowance {
                service: &service,
                grants: &[],
                connections: 1,
            },
            &Arc::default(),
            Counter::default(),
            neighbours,
        )),
        refused: Counter::default(),
        log: Arc::new(Silent),
        region: None,
    };
    let reuse = Reuse::of(&contract, &settings.pool);
    let parts = pool::Parts {
        code: code.clone(),
        instance: InstanceSettings {
            service: service.clone(),
            memory: 16 << 20,
            memory_in_use: Arc::default(),
            granted: Arc::new(granted),
        },
        revision: 1,
        bounds: (1, 4),
        reuse: reuse.calls,
        threads: Arc::new(Threads::new(Handle::current())),
        metrics: metrics.pool(&service, 1),
    };
    let pool = Pool::new(parts, &settings);
    Arc::new(Revision::new(revision::Parts {
        service,
        number: 1,
        component: "digest".to_owned(),
        settings: Arc::new(settings),
        contract,
        code,
        reuse,
        pool,
    }))
}
