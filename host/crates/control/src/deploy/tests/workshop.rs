//! Revisions in memory, without a host around them.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::deploy::load::Prepared;
use crate::deploy::record::{RevisionRecord, ServiceRecord};
use crate::deploy::state::{Deployed, Loaded, State};
use stoa_call::CallContext;
use stoa_engine::capabilities::config::{LiveConfig, Overrides};
use stoa_engine::capabilities::logging::{GuestLog, Level};
use stoa_engine::capabilities::outbound::outgoing::{Allowance, Outgoing};
use stoa_engine::capabilities::{Granted, blobs, keyvalue};
use stoa_engine::{EngineSettings, InstanceSettings, Runtime};
use stoa_gateway::Neighbourhood;
use stoa_mesh::Guards;
use stoa_mesh::discovery::Discovery;
use stoa_mesh::upstream::Upstreams;
use stoa_service::contract::Contract;
use stoa_service::pool::{self, Pool};
use stoa_service::reuse::Reuse;
use stoa_service::revision::{self, Revision};
use stoa_service::threads::Threads;
use stoa_settings::Settings;
use stoa_store::Store;
use stoa_store::secrets::Secrets;
use stoa_telemetry::Metrics;

/// A component without imports and exports.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

/// Makes revisions of the empty component.
pub(super) struct Workshop {
    runtime: Runtime,
    store: Store,
    metrics: Arc<Metrics>,
    _data: TempDir,
}

struct Silent;

impl GuestLog for Silent {
    fn log(&self, _: Level, _: &str, _: &str, _: &CallContext) {}
}

impl Workshop {
    pub(super) fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let runtime = Runtime::new(&EngineSettings {
            instances: 10,
            max_memory: 16 << 20,
            epoch: Duration::from_millis(10),
            cache: data.path().join("compiled"),
        });
        Self {
            runtime: runtime.unwrap(),
            store: Store::open(&data.path().join("store")).unwrap(),
            metrics: Arc::new(Metrics::new()),
            _data: data,
        }
    }

    pub(super) fn prepared(&self) -> Prepared {
        let compiled = self.runtime.compile(EMPTY, "digest", false);
        let (compiled, origin) = compiled.unwrap();
        Prepared {
            contract: Arc::new(Contract::read(EMPTY).unwrap()),
            compiled,
            origin,
            size: 8,
        }
    }

    fn granted(&self, service: &Arc<str>) -> Granted {
        let guards = Guards::new(&self.metrics, &Arc::new(Discovery::new(1)));
        let intakes = guards.intakes().clone();
        let neighbours = Neighbourhood {
            gateway: Weak::new(),
            registry: Weak::new(),
            upstreams: Upstreams::new(Arc::default(), self.metrics.clone(), intakes),
            guards,
            metrics: self.metrics.clone(),
        };
        let refused = self.metrics.rejected("grant");
        let neighbours = Arc::new(neighbours);
        let trust = Arc::default();
        Granted {
            service: service.clone(),
            keyvalue: self.store.keyvalue(),
            commits: self.store.commits(),
            buckets: Vec::new(),
            limits: keyvalue::Limits::default(),
            blobs: self.store.blobs(),
            containers: Vec::new(),
            blob_limits: blobs::Limits::of(0),
            config: LiveConfig::new(BTreeMap::new(), Overrides::default()),
            answers: Arc::new(()),
            secrets: Arc::new(Secrets::new(self.store.records(), "unused.key".into())),
            secret_names: Vec::new(),
            outgoing: Arc::new(Outgoing::new(
                Allowance {
                    service,
                    grants: &[],
                    connections: 1,
                },
                &trust,
                refused.clone(),
                neighbours,
            )),
            refused,
            log: Arc::new(Silent),
            region: None,
        }
    }

    pub(super) fn loaded(&self, service: &str, number: u64) -> Loaded {
        let (service, settings): (Arc<str>, _) = (service.into(), Settings::default());
        let Prepared {
            contract, compiled, ..
        } = self.prepared();
        let code = Arc::new(self.runtime.link(&compiled, vec![], vec![]).unwrap());
        let reuse = Reuse::of(&contract, &settings.pool);
        let parts = pool::Parts {
            code: code.clone(),
            instance: InstanceSettings {
                service: service.clone(),
                memory: 16 << 20,
                memory_in_use: Arc::default(),
                granted: Arc::new(self.granted(&service)),
            },
            revision: number,
            bounds: (0, 4),
            reuse: reuse.calls,
            threads: Arc::new(Threads::new(Handle::current())),
            metrics: self.metrics.pool(&service, number),
        };
        let pool = Pool::new(parts, &settings);
        let revision = Revision::new(revision::Parts {
            service,
            number,
            component: "digest".to_owned(),
            settings: Arc::new(settings),
            contract,
            code,
            reuse,
            pool,
        });
        Loaded {
            revision: Arc::new(revision),
            plans: Vec::new(),
        }
    }

    /// A state with two revisions of `hello`, both in memory, of which the second is live.
    pub(super) fn state(&self) -> State {
        let mut record = ServiceRecord::default();
        record.add(revision(1), None);
        record.add(revision(2), None);
        let loaded = [1, 2].map(|number| (number, self.loaded("hello", number)));
        let deployed = Deployed {
            record,
            loaded: loaded.into(),
            overrides: Arc::default(),
        };
        State {
            services: [("hello".to_owned(), Arc::new(deployed))].into(),
            ..State::default()
        }
    }
}

fn revision(number: u64) -> RevisionRecord {
    RevisionRecord {
        number,
        component: "digest".to_owned(),
        size: 8,
        deployed: "2026-01-01T00:00:00Z".to_owned(),
        settings: Settings::default(),
        note: None,
    }
}
