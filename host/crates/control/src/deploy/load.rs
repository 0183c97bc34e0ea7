//! From a component's digest to a revision that is ready to serve.

use std::io::ErrorKind;
use std::sync::Arc;

use super::guest_log::RevisionLog;
use super::record::{RevisionRecord, ScaleRecord};
use super::state::Loaded;
use super::{ComponentError, Parts, contract_fault, fault, queues, runtime_fault, schedules};
use stoa_api::Fault;
use stoa_engine::capabilities::config::{LiveConfig, Overrides};
use stoa_engine::capabilities::outbound::outgoing::{Allowance, Outgoing};
use stoa_engine::capabilities::{Granted, blobs, keyvalue};
use stoa_engine::handler_link::{Handler, HandlerLink};
use stoa_engine::link::Link;
use stoa_engine::{Code, Compiled, FunctionIndex, InstanceSettings, Origin, host_meets};
use stoa_mesh::link::{Import, Mesh, ServiceLink};
use stoa_service::contract::Contract;
use stoa_service::pool::{self, Pool};
use stoa_service::reuse::Reuse;
use stoa_service::revision::{self, Revision};
use stoa_settings::Settings;

/// A component that is read and checked.
pub(super) struct Verified {
    bytes: Vec<u8>,
    contract: Contract,
}

/// A component that is compiled, but not linked.
pub(super) struct Prepared {
    pub(super) contract: Arc<Contract>,
    pub(super) compiled: Compiled,
    pub(super) origin: Origin,
    /// Bytes of the component.
    pub(super) size: u64,
}

/// Reads a component and its contract. For a thread that may block.
pub(super) fn verify(parts: &Parts, service: &str, digest: &str) -> Result<Verified, Vec<Fault>> {
    let bytes = parts.components.read(digest).map_err(|error| {
        let message = match error {
            ComponentError::Io(error) if error.kind() == ErrorKind::NotFound => format!(
                "{service} is to run the component {digest}, which is not on this host: upload it first, with PUT \
                 /v1/components/{digest}"
            ),
            error => format!("the component {digest} of {service} can't be read: {error}"),
        };
        vec![fault(service, "no_component", message)]
    })?;
    let contract =
        Contract::read(&bytes).map_err(|refused| vec![contract_fault(service, &refused)])?;
    Ok(Verified { bytes, contract })
}

/// Makes native code, or finds it in the cache. Takes as long as compiling does:
/// for a thread that may block.
pub(super) fn compile(
    parts: &Parts,
    service: &str,
    digest: &str,
    verified: Verified,
) -> Result<Prepared, Vec<Fault>> {
    let Verified { bytes, contract } = verified;
    let (compiled, origin) = parts
        .runtime
        .compile(&bytes, digest, contract.is_async())
        .map_err(|error| vec![runtime_fault(service, &error)])?;
    Ok(Prepared {
        contract: Arc::new(contract),
        compiled,
        origin,
        size: bytes.len() as u64,
    })
}

/// What a revision is made by, beside its component.
pub(super) struct Recipe<'a> {
    pub(super) service: Arc<str>,
    pub(super) record: &'a RevisionRecord,
    /// The size that an operator has set.
    pub(super) scale: Option<ScaleRecord>,
    /// What an operator has set of its configuration.
    pub(super) overrides: Overrides,
}

/// Links a component and works its routes out.
pub(super) fn assemble(
    parts: &Parts,
    prepared: &Prepared,
    recipe: Recipe<'_>,
) -> Result<Loaded, Vec<Fault>> {
    let (service, record) = (recipe.service.clone(), recipe.record);
    let mut faults = unservable(parts, &service, record, &prepared.contract);
    faults.extend(schedules::unservable(
        &service,
        &record.settings,
        &prepared.contract,
    ));
    let links = links(parts, &service, record, prepared);
    let links = links.unwrap_or_else(|found| {
        faults.extend(found);
        Vec::new()
    });
    if !faults.is_empty() {
        return Err(faults);
    }
    let handlers = handlers(parts, &service, &record.settings, &prepared.contract);
    let code = match parts.runtime.link(&prepared.compiled, links, handlers) {
        Ok(code) => Arc::new(code),
        Err(error) => {
            faults.push(runtime_fault(&service, &error));
            return Err(faults);
        }
    };
    let revision = Arc::new(make_revision(parts, prepared, code, recipe));
    let mut plans = Vec::new();
    for route in &record.settings.routes {
        match parts.gateway.plan(route, &revision, &parts.guards) {
            Ok(plan) => plans.push(Arc::new(plan)),
            Err(reasons) => faults.extend(reasons.into_iter().map(|reason| {
                fault(
                    &service,
                    "route_target",
                    format!("route {:?} of {service}: {reason}", route.key()),
                )
            })),
        }
    }
    if faults.is_empty() {
        Ok(Loaded { revision, plans })
    } else {
        Err(faults)
    }
}

/// Makes the first instances.
pub(super) async fn warm(loaded: &Loaded) -> Result<String, Vec<Fault>> {
    let revision = &loaded.revision;
    let refuse = |reason: String| vec![fault(&revision.service, "unhealthy", reason)];
    revision.pool.resume();
    let no_start =
        |reason: String| refuse(format!("{} could not start: {reason}", revision.service));
    let warmed = revision.pool.warm().await;
    warmed.map_err(|error| no_start(error.to_string()))?;
    let proved = revision.pool.prove().await;
    proved.map_err(|error| no_start(error.to_string()))?;
    let (minimum, _) = revision.pool.bounds();
    let s = if minimum == 1 { "" } else { "s" };
    let each = match revision.reuse.calls {
        Some(1) => ", a fresh one for each call",
        _ => "",
    };
    Ok(format!("{minimum} instance{s}{each}"))
}

/// What tells whether a service is well, where it has that.
pub(super) fn health_function(loaded: &Loaded) -> Option<FunctionIndex> {
    let code = &loaded.revision.code;
    code.find("stoa:service/health", "check")
}

/// Asks a service whether it is well.
pub(super) async fn check_health(loaded: &Loaded, function: FunctionIndex) -> Result<(), Fault> {
    let revision = &loaded.revision;
    let checked = stoa_mesh::check_health(revision, function).await;
    checked.map_err(|reason| {
        let service = &revision.service;
        let message = format!("{service} says that it is not healthy: {reason}");
        fault(service, "unhealthy", message)
    })
}

fn make_revision(
    parts: &Parts,
    prepared: &Prepared,
    code: Arc<Code>,
    recipe: Recipe<'_>,
) -> Revision {
    let Recipe {
        service,
        record,
        scale,
        overrides,
    } = recipe;
    let settings = Arc::new(record.settings.clone());
    let log = RevisionLog {
        logs: parts.telemetry.logs.clone(),
        service: service.clone(),
        revision: record.number,
    };
    let granted = Granted {
        service: service.clone(),
        keyvalue: parts.keyvalue.clone(),
        commits: parts.commits.clone(),
        buckets: settings.grants.keyvalue.clone(),
        limits: keyvalue::Limits::default(),
        blobs: parts.blobs.clone(),
        containers: settings.grants.blobs.clone(),
        blob_limits: blobs::Limits::of(settings.limits.blobs),
        config: LiveConfig::new(settings.config.clone(), overrides),
        answers: parts.gateway.answers(),
        secrets: parts.secrets.clone(),
        secret_names: settings.grants.secrets.clone(),
        outgoing: Arc::new(outgoing(parts, &service, &settings)),
        refused: parts.telemetry.metrics.rejected("grant"),
        log: Arc::new(log),
        region: parts.region.clone(),
    };
    let instance = InstanceSettings {
        service: service.clone(),
        memory: settings.limits.memory,
        memory_in_use: Arc::default(),
        granted: Arc::new(granted),
    };
    let bounds = match scale {
        Some(scale) => (scale.min, scale.max),
        None => (settings.pool.min, settings.pool.max),
    };
    let metrics = &parts.telemetry.metrics;
    let reuse = Reuse::of(&prepared.contract, &settings.pool);
    let made_of = pool::Parts {
        code: code.clone(),
        instance,
        revision: record.number,
        bounds,
        reuse: reuse.calls,
        threads: parts.threads.clone(),
        metrics: metrics.pool(&service, record.number),
    };
    let pool = Pool::new(made_of, &settings);
    let reading: std::sync::Weak<Pool> = Arc::downgrade(&pool);
    metrics.register_pool(reading);
    Revision::new(revision::Parts {
        service,
        number: record.number,
        component: record.component.clone(),
        settings,
        contract: prepared.contract.clone(),
        code,
        reuse,
        pool,
    })
}

/// What a revision may send out over HTTP.
fn outgoing(parts: &Parts, service: &Arc<str>, settings: &Settings) -> Outgoing {
    let allowance = Allowance {
        service,
        grants: &settings.grants.http,
        connections: settings.limits.connections,
    };
    Outgoing::new(
        allowance,
        &parts.trust,
        parts.telemetry.metrics.rejected("grant"),
        parts.neighbours.clone(),
    )
}

/// The handlers that it imports. One that no service is named for is refused by
/// [`super::check`], in better words than a linker's.
fn handlers(
    parts: &Parts,
    service: &Arc<str>,
    settings: &Settings,
    contract: &Contract,
) -> Vec<HandlerLink> {
    let imports = contract.imports().iter();
    let handlers = imports.filter_map(|import| {
        let interface = import.name.to_string();
        let to = settings.links.get(&import.name.unversioned());
        Some(HandlerLink {
            handler: Handler::of(&interface)?,
            interface,
            from: service.clone(),
            to: to.map(|name| Arc::from(&**name)).unwrap_or_default(),
            neighbours: parts.neighbours.clone(),
        })
    });
    handlers.collect()
}

/// The imports that functions of other services meet, and those that are queues.
fn links(
    parts: &Parts,
    service: &Arc<str>,
    record: &RevisionRecord,
    prepared: &Prepared,
) -> Result<Vec<Link>, Vec<Fault>> {
    let imports = prepared.contract.imports().iter();
    let linked = imports.filter(|import| {
        let name = import.name.to_string();
        !host_meets(&name) && Handler::of(&name).is_none()
    });
    let settings = &record.settings;
    let (mut links, mut faults) = (Vec::new(), Vec::new());
    let mesh = Mesh {
        registry: &parts.registry,
        guards: &parts.guards,
        metrics: &parts.telemetry.metrics,
    };
    for import in linked {
        let name = import.name.to_string();
        let functions = prepared.compiled.imported_functions(&name);
        if let Some(queue) = queues::binding(settings, import) {
            let log = parts.queues.log();
            match queues::link(log, (service, record.number), (import, queue), &functions) {
                Ok(link) => links.push(link),
                Err(found) => faults.extend(found),
            }
            continue;
        }
        let import = Import {
            interface: import.name.clone(),
            chosen: settings.links.get(&import.name.unversioned()).cloned(),
            functions,
        };
        links.push(ServiceLink::link(mesh, service, import));
    }
    if faults.is_empty() {
        Ok(links)
    } else {
        Err(faults)
    }
}

/// What of its settings this host or this component can't serve.
fn unservable(
    parts: &Parts,
    service: &str,
    record: &RevisionRecord,
    contract: &Contract,
) -> Vec<Fault> {
    let settings = &record.settings;
    let mut reasons = Vec::new();
    if settings.limits.memory > parts.max_memory {
        reasons.push(format!(
            "limits.memory of {service} is {} bytes, but this host gives an instance at most {} (setting \
             engine.max_memory)",
            settings.limits.memory, parts.max_memory
        ));
    }
    let pool = &settings.pool;
    if pool.concurrency > 1
        && let Some(export) = synchronous_export(contract)
    {
        reasons.push(format!(
            "pool.concurrency of {service} is {}, but its export {export} is synchronous: an instance then serves one \
             call at a time; make it an async func, or raise pool.max instead",
            pool.concurrency
        ));
    }
    reasons
        .into_iter()
        .map(|reason| fault(service, "settings", reason))
        .collect()
}

/// An export that can't be called while another call is under way in the same instance.
fn synchronous_export(contract: &Contract) -> Option<String> {
    if contract.serves_http().p2 {
        return Some("wasi:http/incoming-handler@0.2".to_owned());
    }
    let exports = contract.exports().iter();
    let callable = exports.filter(|export| export.name.unversioned() != "stoa:service/health");
    let mut functions = callable.flat_map(|export| {
        export
            .functions
            .iter()
            .map(move |function| (export, function))
    });
    functions
        .find(|(_, function)| !function.is_async)
        .map(|(export, function)| format!("{}.{}", export.name, function.name))
}
