//! Services of this host as components reach them by HTTP: `http://NAME.svc/…`, or as
//! the handler that they import.
//!
//! No socket is involved. An upstream is balanced as for any request; a component
//! gets the request in its own handler, or, where it has none, by its routes to
//! functions. The caller sees what a client of the gateway would see, refusals
//! included; its grant, or its link, stands for the route's access.

use std::sync::{Arc, Weak};
use std::time::Instant;

use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::task::JoinSet;

use super::endpoint::Destination;
use super::input::{Bounds, Limited, read};
use super::origin::{self, Origin};
use super::respond::{self, Refusal};
use super::serve::{Asking, repeat};
use super::table::RouteMatch;
use super::{Gateway, forward};
use stoa_call::CallContext;
use stoa_engine::capabilities::outbound::outgoing::{Neighbours, Passage};
use stoa_engine::http::{BodyError, WasiBody};
use stoa_mesh::link::MAX_DEPTH;
use stoa_mesh::upstream::{Upstream, Upstreams};
use stoa_mesh::{Guard, Guards, Registry, RequestBodyState, Target, Terms};
use stoa_service::revision::Revision;
use stoa_settings::spelling;
use stoa_telemetry::metrics::Metrics;

/// The label of these calls in `stoa_call_duration_seconds`.
const FUNCTION: &str = "wasi:http";
/// Its routes are in its contract: its caller needs no guess.
const NO_ROUTE: Refusal = Refusal::NoRoute { nearest: None };

/// All services of a host, for each other.
#[derive(Clone)]
pub struct Neighbourhood {
    /// Held weakly: its routes hold the services that hold this.
    pub gateway: Weak<Gateway>,
    /// Services of components.
    pub registry: Weak<Registry>,
    /// Services that are none.
    pub upstreams: Arc<Upstreams>,
    /// What stands before each revision, for each that calls it.
    pub guards: Arc<Guards>,
    /// Where calls are counted.
    pub metrics: Arc<Metrics>,
}

impl Neighbours for Neighbourhood {
    fn send(
        &self,
        passage: Passage,
        request: Request<WasiBody>,
        context: CallContext,
    ) -> BoxFuture<'static, Result<Response<WasiBody>, BodyError>> {
        let neighbourhood = self.clone();
        Box::pin(async move {
            // A task of its own: this future is polled inside the caller's event loop,
            // and that of another instance can't run in there. Dropped, it is aborted.
            let mut task = JoinSet::new();
            task.spawn(neighbourhood.answer(passage, request, context));
            match task.join_next().await {
                Some(Ok(answered)) => answered,
                _ => Err(BodyError::HttpResponseIncomplete),
            }
        })
    }
}

/// A request that one service sends to another.
struct Sent<'a> {
    /// Who sends it.
    from: &'a str,
    request: Request<WasiBody>,
    context: CallContext,
    origin: &'a Origin,
}

impl Neighbourhood {
    async fn answer(
        self,
        passage: Passage,
        request: Request<WasiBody>,
        context: CallContext,
    ) -> Result<Response<WasiBody>, BodyError> {
        let began = Instant::now();
        let metrics = self.metrics.clone();
        let answered = self.pass(&passage, request, context).await?;
        let metrics = metrics.call(&passage.from, &passage.to, FUNCTION);
        metrics.observe(began.elapsed());
        Ok(answered.map(BodyExt::boxed_unsync))
    }

    async fn pass(
        self,
        passage: &Passage,
        request: Request<WasiBody>,
        context: CallContext,
    ) -> Result<respond::Response, BodyError> {
        let (from, to) = (&*passage.from, &*passage.to);
        if context.depth >= MAX_DEPTH {
            tracing::warn!(
                service.name = from,
                trace.id = context.trace.trace_id,
                "calls {to} {MAX_DEPTH} calls deep: services call each other in a circle"
            );
            return Err(BodyError::LoopDetected);
        }
        let context = context.child();
        let request = forward::inside(request, &context, passage.errand);
        let origin = Origin::of(request.headers(), Instant::now());
        let answered = match (self.upstreams.get(to), self.revision(to)) {
            (Some(upstream), _) => outside(upstream, request, context, &self.metrics).await,
            (None, Some(revision)) => {
                let sent = Sent {
                    from,
                    request,
                    context,
                    origin: &origin,
                };
                self.inside(&revision, sent).await
            }
            (None, None) => {
                tracing::warn!(
                    service.name = from,
                    trace.id = context.trace.trace_id,
                    "outgoing HTTP failed: there is no service {to:?}; `stoa ls` lists those that are live"
                );
                return Err(BodyError::DestinationNotFound);
            }
        };
        let metrics = self.metrics;
        Ok(answered.unwrap_or_else(|refusal| {
            if let Some(reason) = respond::reason(&refusal) {
                metrics.rejected(reason).inc();
            }
            tracing::debug!(
                service.name = to,
                caller = from,
                trace.id = origin.trace_id(),
                "request refused: {refusal:?}"
            );
            respond::refuse(refusal, &origin)
        }))
    }

    fn revision(&self, to: &str) -> Option<Arc<Revision>> {
        let registry = self.registry.upgrade()?;
        registry.read(|snapshot| Some(snapshot.services.get(to)?.pick().clone()))
    }

    async fn inside(
        &self,
        revision: &Arc<Revision>,
        sent: Sent<'_>,
    ) -> Result<respond::Response, Refusal> {
        if revision.code.serves_http() {
            let Sent {
                from,
                request,
                context,
                ..
            } = sent;
            let limit = revision.settings.limits.body;
            let (request, upload) = limited(request, limit, &self.metrics)?;
            let guard = self.guards.handler(revision, from);
            let context = within(&guard, context);
            let answered = guard.http(request, context, &upload).await;
            return answered.map(respond::pass).map_err(Refusal::Call);
        }
        let gateway = self.gateway.upgrade().ok_or(NO_ROUTE)?;
        gateway
            .function(&self.guards, &revision.service, sent)
            .await
    }
}

/// The request with a body of the length that its service takes, whoever sends it.
fn limited(
    request: Request<WasiBody>,
    limit: u64,
    metrics: &Arc<Metrics>,
) -> Result<(Request<Limited<WasiBody>>, RequestBodyState), Refusal> {
    let (parts, body) = request.into_parts();
    let (body, upload) = Limited::new(body, limit, metrics).map_err(Refusal::Body)?;
    Ok((Request::from_parts(parts, body), upload))
}

/// The call of `guard`'s target, within its deadline.
fn within(guard: &Guard<impl Target>, context: CallContext) -> CallContext {
    CallContext {
        deadline: guard.deadline(context.deadline, Instant::now()),
        ..context
    }
}

async fn outside(
    upstream: Arc<Upstream>,
    request: Request<WasiBody>,
    context: CallContext,
    metrics: &Arc<Metrics>,
) -> Result<respond::Response, Refusal> {
    let guard = Guard::of(upstream);
    let (request, upload) = limited(request, guard.target().body_limit(), metrics)?;
    let request = request.map(BodyExt::boxed_unsync);
    let context = within(&guard, context);
    let answered = guard.http(request, &context, &upload).await;
    answered.map(respond::pass).map_err(Refusal::Call)
}

impl Gateway {
    /// Answers a request by the routes that one service has to its functions: its
    /// revisions share them by weight, so the route says which of them it is.
    async fn function(
        &self,
        guards: &Guards,
        service: &str,
        sent: Sent<'_>,
    ) -> Result<respond::Response, Refusal> {
        let Sent {
            from,
            request,
            context,
            origin,
        } = sent;
        let (parts, body) = request.into_parts();
        spelling::check(parts.uri.path()).map_err(Refusal::BadRequest)?;
        let table = self.table.load_full();
        let found = table.find_of(service, &parts.method, parts.uri.path());
        let (plan, parameters) = match found {
            RouteMatch::Plan(plan, parameters) => (plan, parameters),
            RouteMatch::OtherMethods(methods) => return Err(Refusal::MethodNotAllowed(methods)),
            RouteMatch::Nothing => return Err(NO_ROUTE),
        };
        let endpoint = &plan.endpoint;
        let Destination::Function(to) = &endpoint.destination else {
            return Err(NO_ROUTE);
        };
        let operation = &to.operation;
        let callee = to.guard.target();
        let guard = guards.function(&callee.revision, callee.index, from);
        let context = CallContext {
            idempotency_key: origin::idempotency_key(&parts.headers),
            conditions: origin::conditions(&parts.headers),
            ..within(&guard, context)
        };
        let body = match operation.body() {
            Some(form) => {
                let bounds = Bounds {
                    limit: endpoint.body_limit(),
                    deadline: context.deadline,
                };
                let read = read(form, &parts.headers, body, bounds);
                read.await.map_err(Refusal::Body)?
            }
            None => bytes::Bytes::new(),
        };
        let query = parts.uri.query();
        let params = operation.decode(parameters.as_slice(), query, &parts.headers, &body);
        let params = params.map_err(Refusal::Input)?;
        let asking = Asking {
            guard: &guard,
            operation,
            terms: Terms::of(repeat(&parts.method)),
        };
        let reply = asking.call(&context, &params).await?;
        Ok(respond::reply(
            reply,
            endpoint.route.status,
            origin,
            parts.headers,
        ))
    }
}
