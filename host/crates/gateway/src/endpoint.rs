//! Where one route of one revision or upstream leads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::Method;

use super::astray;
use stoa_mesh::queue::Publishing;
use stoa_mesh::target::{Function, Handler, Queue};
use stoa_mesh::upstream::Upstream;
use stoa_mesh::{GATEWAY, Gate, Guard, Guards};
use stoa_service::revision::Revision;
use stoa_settings::{FunctionName, OnDisconnect, Route, Settings, Target};
use stoa_store::Log;
use stoa_telemetry::metrics::{Metrics, RouteMetrics};
use stoa_transcode::Operation;

/// Where a route leads.
pub struct Endpoint {
    /// The route as it was deployed.
    pub route: Route,
    pub(super) destination: Destination,
    pub(super) metrics: Arc<RouteMetrics>,
    /// All measurements of the host.
    pub(super) host: Arc<Metrics>,
    /// Unlike that of any other endpoint of this process.
    pub(super) id: u64,
}

/// What serves a request.
pub(super) enum Destination {
    Function(Transcoded),
    /// The component's own handler.
    Handler(Guard<Handler>),
    /// A service that is no component.
    Upstream(Guard<Arc<Upstream>>),
    /// A queue, which keeps the call.
    Queue(Box<Queued>),
}

/// What endpoints lead to.
pub struct Behind<'a> {
    /// What stands before services.
    pub guards: &'a Guards,
    /// Where queues keep calls.
    pub log: &'a Arc<dyn Log>,
    /// All measurements of the host.
    pub metrics: &'a Arc<Metrics>,
}

/// A queue, behind JSON.
pub(super) struct Queued {
    pub(super) guard: Guard<Queue>,
    pub(super) operation: Operation,
    pub(super) function: Publishing,
    revision: Arc<Revision>,
}

/// An exported function, behind JSON.
pub(super) struct Transcoded {
    pub(super) guard: Guard<Function>,
    pub(super) operation: Box<Operation>,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

impl Endpoint {
    /// Works a route of a revision out.
    ///
    /// # Errors
    ///
    /// Every reason why the revision can't serve it.
    pub fn new(
        route: &Route,
        revision: &Arc<Revision>,
        behind: &Behind<'_>,
    ) -> Result<Self, Vec<String>> {
        let destination = destination(route, revision, behind)?;
        Ok(Self::with(route, destination, behind.metrics))
    }

    /// Works a route of an upstream out.
    ///
    /// # Errors
    ///
    /// Why an upstream can't serve it.
    pub fn upstream(
        route: &Route,
        upstream: &Arc<Upstream>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Vec<String>> {
        if let Target::Call(function) | Target::Queue(function) = &route.target {
            return Err(vec![format!(
                "the route wants {function}, but an upstream has no functions: leave it out"
            )]);
        }
        let destination = Destination::Upstream(Guard::of(upstream.clone()));
        Ok(Self::with(route, destination, metrics))
    }

    fn with(route: &Route, destination: Destination, metrics: &Arc<Metrics>) -> Self {
        let target = destination.target();
        Self {
            metrics: metrics.route(&route.path, target.service(), target.number()),
            host: metrics.clone(),
            route: route.clone(),
            destination,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Whether the service gets to see a request's headers.
    pub(super) fn shows_headers(&self) -> bool {
        !matches!(
            self.destination,
            Destination::Function(_) | Destination::Queue(_)
        )
    }

    /// The service, or the upstream, that it leads to.
    pub fn service(&self) -> &Arc<str> {
        self.destination.target().service()
    }

    /// What its service says for all its routes; an upstream says nothing.
    pub(super) fn settings(&self) -> Option<&Settings> {
        self.revision().map(|revision| &*revision.settings)
    }

    /// Whether there are requests to it that change nothing.
    pub(super) fn takes_safe(&self) -> bool {
        self.method().is_none_or(|method| method.is_safe())
    }

    /// Whether there are requests to it that may change something.
    pub(super) fn takes_unsafe(&self) -> bool {
        self.method().is_none_or(|method| !method.is_safe())
    }

    /// The method that its route is for; `None` for any.
    fn method(&self) -> Option<Method> {
        let method = self.route.method.as_ref()?;
        Method::from_bytes(method.as_bytes()).ok()
    }

    /// Whether it is the same route of the same service, perhaps in another revision.
    pub(super) fn is_of_the_same_route(&self, other: &Self) -> bool {
        let place = |one: &Self| (one.service().clone(), one.route.key());
        place(self) == place(other)
    }

    /// The number of the revision, or of the upstream's declaration.
    pub fn number(&self) -> u64 {
        self.destination.target().number()
    }

    /// The revision that serves it, unless an upstream does.
    pub fn revision(&self) -> Option<&Arc<Revision>> {
        self.destination.revision()
    }

    /// When a request that came at `began` must be answered.
    pub fn deadline(&self, began: Instant) -> Instant {
        began + self.destination.target().time_limit()
    }

    /// What becomes of a call by `method` whose client leaves.
    pub(super) fn on_disconnect(&self, method: &Method) -> OnDisconnect {
        self.route.on_disconnect.unwrap_or(match method.is_safe() {
            true => OnDisconnect::Cancel,
            false => OnDisconnect::Finish,
        })
    }

    /// Bytes that a request's body may have.
    pub fn body_limit(&self) -> u64 {
        self.destination.target().body_limit()
    }
}

impl Destination {
    fn target(&self) -> &dyn stoa_mesh::Target {
        match self {
            Self::Function(to) => to.guard.target(),
            Self::Handler(guard) => guard.target(),
            Self::Upstream(guard) => guard.target(),
            Self::Queue(to) => to.guard.target(),
        }
    }

    fn revision(&self) -> Option<&Arc<Revision>> {
        match self {
            Self::Function(to) => Some(&to.guard.target().revision),
            Self::Handler(guard) => Some(&guard.target().revision),
            Self::Queue(to) => Some(&to.revision),
            Self::Upstream(_) => None,
        }
    }
}

fn destination(
    route: &Route,
    revision: &Arc<Revision>,
    behind: &Behind<'_>,
) -> Result<Destination, Vec<String>> {
    let guards = behind.guards;
    let name = match &route.target {
        Target::Call(name) => name,
        Target::Queue(name) => return queued(route, name, revision, behind.log),
        Target::Http if revision.code.serves_http() => {
            return Ok(Destination::Handler(guards.handler(revision, GATEWAY)));
        }
        Target::Http => {
            return Err(vec![astray::no_handler(&revision.contract)]);
        }
    };
    let Some(index) = revision.code.find(&name.interface, &name.function) else {
        return Err(vec![astray::no_function(name, &revision.contract)]);
    };
    let operation = Operation::compile(route, &revision.code.function(index).ty)?;
    Ok(Destination::Function(Transcoded {
        guard: guards.function(revision, index, GATEWAY),
        operation: Box::new(operation),
    }))
}

/// The queue that keeps the calls of a function, which the service imports or exports.
fn queued(
    route: &Route,
    name: &FunctionName,
    revision: &Arc<Revision>,
    log: &Arc<dyn Log>,
) -> Result<Destination, Vec<String>> {
    let (service, interface) = (&revision.service, &name.interface);
    let Some(settings) = revision.settings.queues.get(interface) else {
        return Err(vec![format!(
            "{interface} is no queue of {service}: add {interface:?} = {{}} to [service.{service}.queues]"
        )]);
    };
    let code = &revision.code;
    let exported = code.find(interface, &name.function);
    let ty = exported.map(|index| code.function(index).ty.clone());
    let Some(ty) = ty.or_else(|| code.imported(interface, &name.function)) else {
        return Err(vec![format!(
            "expected a function of {interface}, which {service} imports or exports, found {:?}",
            name.function
        )]);
    };
    let queue = Queue {
        service: service.clone(),
        revision: revision.number,
        name: interface.as_str().into(),
        settings: Arc::new(settings.clone()),
        log: log.clone(),
    };
    Ok(Destination::Queue(Box::new(Queued {
        guard: Guard::new(Arc::new(Gate::free()), queue),
        operation: Operation::compile(route, &ty)?,
        function: Publishing::compile(&name.function, &ty, settings)?,
        revision: revision.clone(),
    })))
}
