//! A pool of a component that does nothing, and calls for it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::pool::{ExclusiveLease, Lease, Parts, Pool, PoolError};
use crate::threads::Threads;
use stoa_call::CallContext;
use stoa_engine::capabilities::config::{LiveConfig, Overrides};
use stoa_engine::capabilities::logging::{GuestLog, Level};
use stoa_engine::capabilities::outbound::outgoing::{Allowance, Neighbours, Outgoing, Passage};
use stoa_engine::capabilities::{Granted, blobs, keyvalue};
use stoa_engine::http::{BodyError, WasiBody};
use stoa_engine::{EngineSettings, InstanceSettings, Runtime};
use stoa_settings::{Concurrency, Settings};
use stoa_store::Store;
use stoa_store::secrets::Secrets;
use stoa_telemetry::Metrics;
use stoa_telemetry::metrics::PoolMetrics;
use stoa_test_components::component;

const WIT: &str = "package a:b; interface idle { rest: func(); } world sloth { export idle; }";

/// No call of a test has to end before.
const LONG: Duration = Duration::from_secs(3600);

/// A pool, and what it needs while it lives.
pub(super) struct Hosted {
    pub(super) pool: Arc<Pool>,
    pub(super) metrics: Arc<PoolMetrics>,
    _runtime: Runtime,
    _store: Store,
    _data: TempDir,
}

impl Hosted {
    /// A pool of at most `max` instances.
    pub(super) fn new(max: u32, limit: Concurrency) -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(&data.path().join("store")).unwrap();
        let runtime = Runtime::new(&EngineSettings {
            instances: 32,
            max_memory: 1 << 20,
            // Who has room for an instance has it made at once: no tick comes in between.
            epoch: LONG,
            cache: data.path().join("compiled"),
        });
        let runtime = runtime.unwrap();
        let compiled = runtime.compile(&component(WIT, "sloth"), "digest", false);
        let code = runtime.link(&compiled.unwrap().0, Vec::new(), Vec::new());
        let metrics = Metrics::new().pool("service", 1);
        let parts = Parts {
            code: Arc::new(code.unwrap()),
            instance: InstanceSettings {
                service: "service".into(),
                memory: 1 << 20,
                memory_in_use: Arc::default(),
                granted: Arc::new(granted(&store)),
            },
            revision: 1,
            bounds: (0, max),
            reuse: None,
            threads: Arc::new(Threads::new(Handle::current())),
            metrics: metrics.clone(),
        };
        let mut settings = Settings::default();
        settings.limits.concurrency = limit;
        settings.pool.queue_deadline = LONG;
        Self {
            pool: Pool::new(parts, &settings),
            metrics,
            _runtime: runtime,
            _store: store,
            _data: data,
        }
    }
}

/// Writes nothing.
struct Silent;

impl GuestLog for Silent {
    fn log(&self, _: Level, _: &str, _: &str, _: &CallContext) {}
}

/// No service is reached by HTTP here.
struct Nobody;

impl Neighbours for Nobody {
    fn send(
        &self,
        _: Passage,
        _: http::Request<WasiBody>,
        _: CallContext,
    ) -> Pin<Box<dyn Future<Output = Result<http::Response<WasiBody>, BodyError>> + Send>> {
        Box::pin(async { Err(BodyError::DestinationNotFound) })
    }
}

fn granted(store: &Store) -> Granted {
    let service = "service".into();
    let outgoing = Outgoing::new(
        Allowance {
            service: &service,
            grants: &[],
            connections: 1,
        },
        &Arc::default(),
        Counter::default(),
        Arc::new(Nobody),
    );
    Granted {
        service,
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
        outgoing: Arc::new(outgoing),
        refused: Counter::default(),
        log: Arc::new(Silent),
        region: None,
    }
}

/// A call from outside.
pub(super) fn call() -> CallContext {
    CallContext::new(Instant::now() + LONG)
}

/// A call from inside another one.
pub(super) fn nested() -> CallContext {
    call().child()
}

/// What a future gives that does not wait; it ends here if it does.
pub(super) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

/// The whole instance that a call got.
pub(super) fn whole(got: Result<Lease<'_>, PoolError>) -> ExclusiveLease<&Arc<Pool>> {
    match got {
        Ok(Lease::Exclusive(lease)) => lease,
        Ok(Lease::Shared(_)) => panic!("its instances serve a call at a time"),
        Err(error) => panic!("{error}"),
    }
}

/// Which instance it is.
pub(super) fn identity(lease: &ExclusiveLease<&Arc<Pool>>) -> usize {
    std::ptr::from_ref(&**lease).addr()
}

/// Has another thread use an instance and park it: which one that was.
pub(super) fn park_elsewhere(pool: &Arc<Pool>) -> usize {
    let park = || {
        let lease = whole(at_once(pool.acquire(&call())).expect("there is room"));
        let parked = identity(&lease);
        lease.keep();
        parked
    };
    thread::scope(|scope| scope.spawn(park).join().unwrap())
}
