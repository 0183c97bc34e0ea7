//! The composition root: builds the host, runs it, drains it.

#[cfg(debug_assertions)]
mod dying;
mod upkeep;

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use stoa_control::admin::hosts::Hosts;
use stoa_control::admin::state::Admin;
use stoa_control::admin::{self, eureka};
use stoa_control::deploy::{Components, Deployments, Parts};
use stoa_engine::capabilities::outbound::trust::Trust;
use stoa_engine::{EngineSettings, Runtime};
use stoa_gateway::accept::{Tls, Transport};
use stoa_gateway::identity::Identity;
use stoa_gateway::{Gateway, Neighbourhood, accept};
use stoa_http::shutdown::{Drained, Drainer, Holds, Stop};
use stoa_mesh::discovery::Discovery;
use stoa_mesh::queue::{self, Queues};
use stoa_mesh::schedule::Caller;
use stoa_mesh::upstream::Upstreams;
use stoa_mesh::upstream::gauges::Gauges;
use stoa_mesh::{Guards, Registry, Schedules, schedule};
use stoa_service::threads::Threads;
use stoa_settings::config::{Config, Development, LogFormat};
use stoa_settings::schedule::Slot;
use stoa_store::secrets::Secrets;
use stoa_store::{Store, StoreError, make_secret, read_secret};
use stoa_telemetry::{Telemetry, logs};
use upkeep::Upkeep;

/// Time for the last records to get out when the process ends.
const LOG_FLUSH: Duration = Duration::from_secs(2);

/// A running host.
pub struct Host {
    gateway_addr: SocketAddr,
    tls_addr: Option<SocketAddr>,
    admin_addr: SocketAddr,
    token: Arc<str>,
    config: Config,
    telemetry: Telemetry,
    drainer: Drainer,
    stop: Stop,
    store: Store,
}

impl Host {
    /// Binds both addresses, opens the data directory, brings back what was
    /// deployed and serves. The first line on standard error is
    /// `Serving HTTP on http://ADDR:PORT/`.
    ///
    /// # Errors
    ///
    /// When an address is taken, the data directory can't be used, or the machine
    /// can't run the engine. Says which, and what to do.
    pub async fn start(config: Config) -> Result<Self> {
        let telemetry = telemetry(&config)?;
        match Self::build(config, telemetry.clone()).await {
            Ok(host) => Ok(host),
            Err(error) => {
                telemetry.logs.flush(LOG_FLUSH);
                Err(error)
            }
        }
    }

    /// Where the gateway listens.
    pub fn gateway_addr(&self) -> SocketAddr {
        self.gateway_addr
    }

    /// Where the admin API listens.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// Where the gateway listens for TLS, if it does.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_addr
    }

    /// Whether `stoa token` is answered.
    pub fn development_tokens(&self) -> Development {
        self.config.jwt.development
    }

    /// The admin API's bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Completes its [`Stop::asked`] when an operator asks for the host's end.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.config.data
    }

    /// Serves until `shutdown` completes, then drains: no new connections, calls
    /// under way end, for at most the configured time.
    ///
    /// # Errors
    ///
    /// None at present; the process should end with what this says.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        shutdown.await;
        tracing::info!(
            "draining: calls under way end, for at most {:?}",
            self.config.drain
        );
        if self.drainer.run(self.config.drain).await == Drained::InPart {
            tracing::warn!("the drain's time is over: calls that are still under way are cut off");
        }
        // The last writes are on disk before the process ends.
        let store = self.store;
        tokio::task::spawn_blocking(move || store.close())
            .await
            .context("closing the store failed")?;
        tracing::info!("stopped");
        self.telemetry.logs.flush(LOG_FLUSH);
        Ok(())
    }

    async fn build(config: Config, telemetry: Telemetry) -> Result<Self> {
        let gateway_listener = bind(config.listen, "the gateway", "--listen").await?;
        let tls = tls(&config).await?;
        let admin_listener = bind(config.admin, "the admin API", "--admin").await?;
        let gateway_addr = gateway_listener.local_addr()?;
        let admin_addr = admin_listener.local_addr()?;
        let store = open_store(&config.data)?;
        let flushes = telemetry.metrics.state_flush();
        store.tell_flushes(Box::new(move |took| flushes.observe(took)));
        let token: Arc<str> = token(&config.data)?.into();
        let (records, metrics) = (store.records(), &telemetry.metrics);
        let identity = Identity::open(&config, &token, records, metrics).await?;
        let identity = Arc::new(identity);
        let (drainer, stop) = (Drainer::new(), Stop::new(config.drain));
        let parts = stoa_gateway::Parts {
            identity: identity.clone(),
            metrics: telemetry.metrics.clone(),
            answers: store.expiring(),
            holds: drainer.holds(),
            log: store.log(),
        };
        let gateway = Gateway::new(&config, parts);
        let deployments = deployments(&config, &telemetry, &gateway, (&store, drainer.holds()));
        let deployments = deployments.await?;

        let tls_addr = tls.as_ref().map(|(listener, _)| listener.local_addr());
        let tls_addr = tls_addr.transpose()?;
        let announced = announcement(gateway_addr, tls_addr, admin_addr);
        telemetry.logs.announce(&announced);
        deployments.restore().await?;
        listen(&gateway, gateway_listener, tls, &drainer);
        tokio::spawn(deployments.clone().announce_upstreams(drainer.drain()));
        tokio::spawn(deployments.keep_time(drainer.drain()));
        let upkeep = Upkeep {
            gateway: gateway.clone(),
            deployments: deployments.clone(),
            metrics: telemetry.metrics.clone(),
            blobs: store.blobs(),
            data: config.data.clone(),
        };
        upkeep.begin(&drainer);
        let sink = eureka::UpstreamSink::new(deployments.clone());
        let registrations = Arc::new(eureka::registry::Registry::new(Box::new(sink)));
        tokio::spawn(eureka::sweep(registrations.clone(), drainer.drain()));
        let admin = Admin {
            deployments,
            identity: identity.clone(),
            gateway,
            eureka: registrations,
            telemetry: telemetry.clone(),
            hosts: Hosts::of(admin_addr, &config.admin_hosts),
            token: token.clone(),
            stop: stop.clone(),
            drain: drainer.drain(),
        };
        tokio::spawn(admin::serve(admin, admin_listener, drainer.drain()));
        let drain = drainer.drain();
        tokio::spawn(async move { identity.tend(drain).await });
        Ok(Self {
            gateway_addr,
            tls_addr,
            admin_addr,
            token,
            config,
            telemetry,
            drainer,
            stop,
            store,
        })
    }
}

/// Opens the data directory. A host of tests may be told to die there.
#[cfg(debug_assertions)]
fn open_store(data: &Path) -> Result<Store, StoreError> {
    dying::open(data)
}

/// Opens the data directory.
#[cfg(not(debug_assertions))]
fn open_store(data: &Path) -> Result<Store, StoreError> {
    Store::open(data)
}

/// Where the host can be reached.
fn announcement(http: SocketAddr, https: Option<SocketAddr>, admin: SocketAddr) -> String {
    let https = https.map(|address| format!("Serving HTTPS on https://{address}/\n"));
    format!(
        "Serving HTTP on http://{http}/\n{}Admin API on http://{admin}/",
        https.unwrap_or_default()
    )
}

/// Takes connections until the drain begins.
fn listen(
    gateway: &Arc<Gateway>,
    plain: TcpListener,
    tls: Option<(TcpListener, Arc<Tls>)>,
    drainer: &Drainer,
) {
    let mut listeners = vec![(plain, Transport::Plain)];
    if let Some((listener, tls)) = tls {
        tokio::spawn(tls.clone().follow(drainer.drain()));
        listeners.push((listener, Transport::Tls(tls)));
    }
    for (listener, transport) in listeners {
        let served = accept::serve(gateway.clone(), listener, transport, drainer.drain());
        tokio::spawn(served);
    }
}

fn telemetry(config: &Config) -> Result<Telemetry> {
    let format = match config.log.format {
        LogFormat::Auto => logs::Format::for_stderr(),
        LogFormat::Json => logs::Format::Json,
        LogFormat::Pretty => logs::Format::Pretty,
    };
    let logs = logs::init(&config.log.level, format)?;
    logs.hold();
    Ok(Telemetry::new(logs))
}

async fn bind(address: SocketAddr, what: &str, flag: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("{what} can't listen on {address}; choose another address with {flag}")
    })
}

/// The way in by TLS, if there is one.
async fn tls(config: &Config) -> Result<Option<(TcpListener, Arc<Tls>)>> {
    if !config.tls.is_on() {
        return Ok(None);
    }
    let tls = Tls::load(&config.tls).context("TLS can't be served")?;
    let listener = bind(config.tls.listen, "the gateway's TLS", "--tls-listen").await?;
    Ok(Some((listener, tls)))
}

/// How often a host was started with this data before.
async fn life(store: &Store) -> Result<u64> {
    let records = store.records();
    let before: u64 = records.read("host", "lives").await?.unwrap_or_default();
    records.put("host", "lives", (before + 1).into()).await?;
    Ok(before)
}

async fn secrets(config: &Config, store: &Store) -> Result<Arc<Secrets>> {
    let key = config.secrets_key.clone();
    let key = key.unwrap_or_else(|| config.data.join("secrets.key"));
    let secrets = Secrets::new(store.records(), key);
    secrets.load().await.context("secrets can't be opened")?;
    Ok(Arc::new(secrets))
}

async fn deployments(
    config: &Config,
    telemetry: &Telemetry,
    gateway: &Arc<Gateway>,
    (store, holds): (&Store, Holds),
) -> Result<Arc<Deployments>> {
    let secrets = secrets(config, store).await?;
    let discovery = Arc::new(Discovery::new(life(store).await?));
    let runtime = Runtime::new(&EngineSettings {
        instances: config.engine.instances,
        max_memory: config.engine.max_memory,
        epoch: config.engine.epoch,
        cache: config.data.join("compiled"),
    })?;
    let components = Components::open(config.data.join("components"), config.engine.max_component)
        .context("the folder for components can't be made")?;
    let trust = Trust::new(config.outbound_ca.as_deref()).map_err(anyhow::Error::msg)?;
    let trust = Arc::new(trust);
    let guards = Guards::new(&telemetry.metrics, &discovery);
    let (metrics, intakes) = (telemetry.metrics.clone(), guards.intakes().clone());
    let upstreams = Upstreams::new(trust.clone(), metrics, intakes);
    upstreams.begin_sweeps();
    telemetry.metrics.register(Gauges::new(&upstreams));
    let registry = Arc::new(Registry::default());
    let neighbours = Neighbourhood {
        guards: guards.clone(),
        gateway: Arc::downgrade(gateway),
        registry: Arc::downgrade(&registry),
        upstreams: upstreams.clone(),
        metrics: telemetry.metrics.clone(),
    };
    let queues = Queues::new(queue::Parts {
        log: store.log(),
        records: store.records(),
        registry: registry.clone(),
        guards: guards.clone(),
        metrics: telemetry.metrics.clone(),
        holds,
    });
    let schedules = Schedules::open(schedule::Parts {
        caller: Box::new(Caller {
            registry: registry.clone(),
            guards: guards.clone(),
        }),
        records: store.records(),
        metrics: telemetry.metrics.clone(),
        clock: Box::new(Slot::now),
    });
    Ok(Deployments::new(Parts {
        queues: queues.await?,
        runtime: Arc::new(runtime),
        registry,
        upstreams,
        guards,
        schedules: schedules.await?,
        discovery,
        neighbours: Arc::new(neighbours),
        trust,
        gateway: gateway.clone(),
        components,
        records: store.records(),
        keyvalue: store.keyvalue(),
        commits: store.commits(),
        blobs: store.blobs(),
        secrets,
        telemetry: telemetry.clone(),
        region: config.region.as_deref().map(Arc::from),
        max_memory: config.engine.max_memory,
        threads: Arc::new(Threads::new(Handle::current())),
        keep: config.keep.clone(),
    }))
}

/// The admin token: made on first start, readable by its owner alone.
fn token(data: &Path) -> Result<String> {
    let path = data.join("token");
    let found = read_secret(&path).with_context(|| format!("{} can't be read", path.display()))?;
    match found {
        Some(token) => Ok(token),
        None => make_secret(&path).with_context(|| format!("{} can't be written", path.display())),
    }
}
