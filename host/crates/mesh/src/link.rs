//! Calls from component to component.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::future::BoxFuture;

use super::fault::CallError;
use super::gate::Gate;
use super::guard::{Called, Guard, Terms};
use super::guards::Guards;
use super::registry::Registry;
use super::retry::Repeat;
use super::target::{Function, Target as _};
use stoa_call::CallContext;
use stoa_engine::link::{Link, LinkFailure, LinkTarget, LinkedFunction};
use stoa_engine::service_error;
use stoa_engine::value::{FunctionType, Type, Val};
use stoa_service::contract::InterfaceName;
use stoa_service::revision::Revision;
use stoa_telemetry::metrics::{CallMetrics, Metrics};

/// Calls that may be nested: A calls B calls A … Deeper is a mistake in nearly
/// every case, and each level holds an instance.
pub const MAX_DEPTH: u8 = 16;

/// Where the calls of one imported interface go: to whichever live revision
/// exports it at the time of the call.
pub struct ServiceLink {
    registry: Weak<Registry>,
    consumer: Arc<str>,
    interface: InterfaceName,
    track: String,
    /// The service that the consumer's settings name, where several export it.
    chosen: Option<String>,
    functions: Vec<Imported>,
    metrics: Arc<Metrics>,
    guards: Arc<Guards>,
    /// Of the providers that were called last: one, or two while a canary is live.
    known: ArcSwap<Vec<(Weak<Revision>, Arc<Gate>)>>,
}

/// What calls between services lead into.
#[derive(Clone, Copy)]
pub struct Mesh<'a> {
    /// Where providers are found.
    pub registry: &'a Arc<Registry>,
    /// What guards them.
    pub guards: &'a Arc<Guards>,
    /// Where calls are counted.
    pub metrics: &'a Arc<Metrics>,
}

/// An interface that a service imports from another.
pub struct Import {
    /// Its name.
    pub interface: InterfaceName,
    /// The service that the consumer's settings name, where several export it.
    pub chosen: Option<String>,
    /// Those of its functions that are imported.
    pub functions: Vec<(String, FunctionType)>,
}

/// A function that the consumer imports.
struct Imported {
    name: String,
    failure: Failure,
    /// Of the provider that answered first; it hardly ever changes.
    metrics: OnceLock<(Arc<str>, Arc<CallMetrics>)>,
}

/// How a function can tell its caller that the call failed.
#[derive(Clone, Copy)]
enum Failure {
    /// As `stoa:service/types.error` in its result.
    Value,
    /// Not at all: the caller traps.
    Trap,
}

impl ServiceLink {
    /// A link for one import of `consumer`.
    pub fn link(mesh: Mesh<'_>, consumer: &Arc<str>, import: Import) -> Link {
        let Import {
            interface,
            chosen,
            functions,
        } = import;
        let full_name = interface.to_string();
        let linked = functions
            .iter()
            .map(|(name, ty)| LinkedFunction {
                name: name.clone(),
                asynchronous: ty.async_(),
            })
            .collect();
        let target = Self {
            registry: Arc::downgrade(mesh.registry),
            consumer: consumer.clone(),
            track: interface.track(),
            interface,
            chosen,
            functions: functions.into_iter().map(Imported::new).collect(),
            metrics: mesh.metrics.clone(),
            guards: mesh.guards.clone(),
            known: ArcSwap::default(),
        };
        Link {
            interface: full_name,
            functions: linked,
            target: Arc::new(target),
        }
    }

    async fn forward(
        &self,
        function: &Imported,
        context: CallContext,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<(), LinkFailure> {
        if context.depth >= MAX_DEPTH {
            return Err(failure(format!(
                "{} calls {} {MAX_DEPTH} calls deep: services call each other in a circle",
                self.consumer, self.interface
            )));
        }
        let revision = self.resolve().map_err(failure)?;
        let Some(index) = revision.find(&self.track, &function.name) else {
            return Err(failure(format!(
                "{} no longer exports {}.{}",
                revision.service, self.interface, function.name
            )));
        };
        let guard = Guard::new(self.gate(&revision), Function { revision, index });
        let terms = Terms::of(Repeat::Once);
        let context = CallContext {
            deadline: guard.deadline(context.deadline, terms.now),
            ..context.child()
        };
        let Called { outcome, took } = guard.call(&context, params, results, &terms).await;
        let provider = guard.target().service();
        self.observe(function, provider, took);
        outcome.map_err(|error| LinkFailure {
            reason: self.explain(provider, function, &error),
            retry_after: error.retry_after(),
        })
    }

    /// What lets calls of this consumer through to a provider's revision.
    fn gate(&self, revision: &Arc<Revision>) -> Arc<Gate> {
        let is = |of: &Weak<Revision>| std::ptr::eq(of.as_ptr(), Arc::as_ptr(revision));
        let known = self.known.load();
        if let Some((_, gate)) = known.iter().find(|(of, _)| is(of)) {
            return gate.clone();
        }
        let gate = self.guards.gate_of(revision, &self.consumer);
        let mut next = vec![(Arc::downgrade(revision), gate.clone())];
        next.extend(known.first().cloned());
        self.known.store(Arc::new(next));
        gate
    }

    fn resolve(&self) -> Result<Arc<Revision>, String> {
        let registry = self.registry.upgrade().ok_or("the host is shutting down")?;
        registry.read(|snapshot| {
            let providers = snapshot.providers_of_track(&self.track);
            let service = match &self.chosen {
                Some(chosen) => providers.iter().find(|service| *service.name == **chosen),
                None => providers.first(),
            };
            service
                .map(|service| service.pick().clone())
                .ok_or_else(|| {
                    format!(
                        "no live service exports {}, which {} imports",
                        self.interface, self.consumer
                    )
                })
        })
    }

    /// For the caller's code and log; the cause of a crash stays in the host's log.
    fn explain(&self, provider: &str, function: &Imported, error: &CallError) -> String {
        let what = match error {
            CallError::Fault(_) => "the component failed".to_owned(),
            other => other.to_string(),
        };
        format!("{}.{} of {provider}: {what}", self.interface, function.name)
    }

    fn observe(&self, function: &Imported, provider: &Arc<str>, took: Duration) {
        let resolve = || self.metrics.call(&self.consumer, provider, &function.name);
        let (known, metrics) = function
            .metrics
            .get_or_init(|| (provider.clone(), resolve()));
        if known == provider {
            metrics.observe(took);
        } else {
            resolve().observe(took);
        }
    }
}

impl LinkTarget for ServiceLink {
    fn call<'a>(
        &'a self,
        function: usize,
        context: CallContext,
        params: &'a [Val],
        results: &'a mut [Val],
    ) -> BoxFuture<'a, Result<(), LinkFailure>> {
        let function = &self.functions[function];
        Box::pin(async move {
            match (
                self.forward(function, context, params, results).await,
                function.failure,
            ) {
                (Err(failure), Failure::Value) => {
                    results[0] = service_error::unavailable_result(failure.reason);
                    Ok(())
                }
                (outcome, _) => outcome,
            }
        })
    }
}

/// A failure that another try does not mend.
fn failure(reason: String) -> LinkFailure {
    LinkFailure {
        reason,
        retry_after: None,
    }
}

// === impl Imported ===

impl Imported {
    fn new((name, ty): (String, FunctionType)) -> Self {
        let standard = match ty.results().next() {
            Some(Type::Result(result)) => result
                .err()
                .is_some_and(|error| service_error::is_standard(&error)),
            _ => false,
        };
        let failure = if standard {
            Failure::Value
        } else {
            Failure::Trap
        };
        Self {
            name,
            failure,
            metrics: OnceLock::new(),
        }
    }
}
