//! One route of one revision or upstream, with all that can be worked out before a
//! request.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::{HeaderName, HeaderValue, Method};

use super::astray;
use super::cors::Cors;
use super::rate::Limiter;
use super::respond::Refusal;
use super::transcode::Operation;
use stoa_mesh::target::{Function, Handler};
use stoa_mesh::upstream::Upstream;
use stoa_mesh::{GATEWAY, Guard, Guards};
use stoa_service::revision::Revision;
use stoa_settings as settings;
use stoa_settings::{Access, Choice, OnDisconnect, Rate, Route, Target};
use stoa_telemetry::metrics::{Metrics, RouteMetrics};

/// Where a route leads.
pub struct Endpoint {
    /// The route as it was deployed.
    pub route: Route,
    pub(super) destination: Destination,
    pub(super) metrics: Arc<RouteMetrics>,
    /// All measurements of the host.
    pub(super) host: Arc<Metrics>,
    /// How many requests a caller may send.
    pub(super) rate: Option<Rate>,
    /// There once the endpoint is published, if it has a limit.
    pub(super) limiter: OnceLock<Arc<Limiter>>,
    /// What pages of other origins are told.
    pub(super) cors: Option<Cors>,
    /// Unlike that of any other endpoint of this process.
    pub(super) id: u64,
    pub(super) cache_control: Option<CacheControl>,
    /// Request headers that cached answers depend on.
    pub(super) vary: Vec<HeaderName>,
}

/// What clients are told of how long they may keep an answer.
pub(super) struct CacheControl {
    pub(super) usual: HeaderValue,
    /// Where the request shows who asks.
    pub(super) personal: HeaderValue,
    /// Beside what the service says without a time.
    pub(super) age: HeaderValue,
}

/// What serves a request.
pub(super) enum Destination {
    Function(Transcoded),
    /// The component's own handler.
    Handler(Guard<Handler>),
    /// A service that is no component.
    Upstream(Guard<Arc<Upstream>>),
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
        metrics: &Arc<Metrics>,
        guards: &Guards,
    ) -> Result<Self, Vec<String>> {
        let destination = destination(route, revision, guards)?;
        let settings = &revision.settings;
        let policies = Policies::of(route, settings.rate.as_ref(), settings.cors.as_ref())?;
        Ok(Self::with(route, destination, policies, metrics))
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
        if let Target::Call(function) = &route.target {
            return Err(vec![format!(
                "the route wants {function}, but an upstream has no functions: leave `call` out"
            )]);
        }
        let destination = Destination::Upstream(Guard::of(upstream.clone()));
        let policies = Policies::of(route, None, None)?;
        Ok(Self::with(route, destination, policies, metrics))
    }

    fn with(
        route: &Route,
        destination: Destination,
        policies: Policies,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let vary = route.cache.iter().flat_map(|cache| &cache.vary);
        let vary = vary.filter_map(|name| name.parse().ok()).collect();
        let target = destination.target();
        Self {
            metrics: metrics.route(&route.path, target.service(), target.number()),
            host: metrics.clone(),
            route: route.clone(),
            destination,
            rate: policies.rate,
            limiter: OnceLock::new(),
            cors: policies.cors,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            cache_control: cache_control(route),
            vary,
        }
    }

    /// Whether the service gets to see a request's headers.
    pub(super) fn shows_headers(&self) -> bool {
        !matches!(self.destination, Destination::Function(_))
    }

    /// The service, or the upstream, that it leads to.
    pub fn service(&self) -> &Arc<str> {
        self.destination.target().service()
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

    /// Lets a request through to a service that takes some.
    ///
    /// # Errors
    ///
    /// While the service is drained.
    pub(super) fn check_intake(&self) -> Result<(), Refusal> {
        let checked = match &self.destination {
            Destination::Function(to) => to.guard.check(),
            Destination::Handler(guard) => guard.check(),
            Destination::Upstream(guard) => guard.check(),
        };
        checked.map_err(Refusal::Call)
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

/// What a route does beside its work, where it or its service says so.
struct Policies {
    rate: Option<Rate>,
    cors: Option<Cors>,
}

impl Policies {
    /// The route's own, or those of its service.
    fn of(
        route: &Route,
        rate: Option<&Rate>,
        cors: Option<&settings::Cors>,
    ) -> Result<Self, Vec<String>> {
        let rate = Choice::in_force(route.rate.as_ref(), rate);
        let cors = Choice::in_force(route.cors.as_ref(), cors).map(Cors::compile);
        let mut faults = Vec::new();
        if let Some(Err(fault)) = rate.map(Rate::check) {
            faults.push(format!("`rate`: {fault}"));
        }
        if let Some(Err(of_cors)) = &cors {
            faults.extend(of_cors.iter().map(|fault| format!("`cors`: {fault}")));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            rate: rate.cloned(),
            cors: cors.and_then(Result::ok),
        })
    }
}

impl Destination {
    fn target(&self) -> &dyn stoa_mesh::Target {
        match self {
            Self::Function(to) => to.guard.target(),
            Self::Handler(guard) => guard.target(),
            Self::Upstream(guard) => guard.target(),
        }
    }

    fn revision(&self) -> Option<&Arc<Revision>> {
        match self {
            Self::Function(to) => Some(&to.guard.target().revision),
            Self::Handler(guard) => Some(&guard.target().revision),
            Self::Upstream(_) => None,
        }
    }
}

fn destination(
    route: &Route,
    revision: &Arc<Revision>,
    guards: &Guards,
) -> Result<Destination, Vec<String>> {
    let name = match &route.target {
        Target::Call(name) => name,
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

fn cache_control(route: &Route) -> Option<CacheControl> {
    let cache = route.cache.as_ref()?;
    let mut age = format!("max-age={}", cache.max_age.as_secs());
    let alone = HeaderValue::try_from(&*age).ok()?;
    let stale = [
        ("stale-while-revalidate", cache.stale_while_revalidate),
        ("stale-if-error", cache.stale_if_error),
    ];
    for (name, time) in stale.iter().filter(|(_, time)| !time.is_zero()) {
        let _ = write!(age, ", {name}={}", time.as_secs());
    }
    let usual = match route.access {
        Access::Public => "public",
        Access::Authenticated | Access::Scope(_) => "private",
    };
    Some(CacheControl {
        usual: HeaderValue::try_from(format!("{usual}, {age}")).ok()?,
        personal: HeaderValue::try_from(format!("private, {age}")).ok()?,
        age: alone,
    })
}
