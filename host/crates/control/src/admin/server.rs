//! The admin API's router: what is open, what asks for the token.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Refusal;
use super::state::Admin;
use super::{
    breakers, cache, config, discovery, document, drain, eureka, guard, handlers, keys, logs,
    queues, schedules, secrets, shape, tokens, trace, upstreams,
};
use stoa_telemetry::metrics::CONTENT_TYPE;

/// The whole API.
pub fn router(admin: Admin) -> Router {
    let (guarded, document) = OpenApiRouter::with_openapi(document::begun())
        .routes(routes!(handlers::has_component, handlers::put_component))
        .routes(routes!(handlers::deploy, handlers::deployments))
        .routes(routes!(handlers::list))
        .routes(routes!(handlers::show, handlers::undeploy))
        .routes(routes!(handlers::revisions))
        .routes(routes!(handlers::traffic))
        .routes(routes!(handlers::scale))
        .routes(routes!(breakers::list, breakers::force))
        .routes(routes!(drain::show, drain::begin, drain::undo))
        .routes(routes!(drain::host))
        .routes(routes!(config::show, config::change))
        .routes(routes!(config::show_key, config::set, config::unset))
        .routes(routes!(config::history))
        .routes(routes!(config::rollback))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::set, secrets::remove))
        .routes(routes!(secrets::rotate_key))
        .routes(routes!(discovery::discovery))
        .routes(routes!(discovery::events))
        .routes(routes!(handlers::contract))
        .routes(routes!(handlers::openapi))
        .routes(routes!(handlers::app_openapi))
        .routes(routes!(handlers::routes))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::show))
        .routes(routes!(schedules::run))
        .routes(routes!(schedules::pause))
        .routes(routes!(upstreams::list))
        .routes(routes!(
            upstreams::show,
            upstreams::declare,
            upstreams::remove
        ))
        .routes(routes!(upstreams::join, upstreams::leave))
        .routes(routes!(upstreams::heartbeat))
        .routes(routes!(upstreams::status))
        .routes(routes!(queues::list))
        .routes(routes!(queues::show, queues::enqueue))
        .routes(routes!(queues::messages))
        .routes(routes!(queues::redrive))
        .routes(routes!(queues::purge))
        .routes(routes!(queues::pause))
        .routes(routes!(cache::purge))
        .routes(routes!(tokens::create))
        .routes(routes!(logs::service))
        .routes(routes!(logs::all))
        .split_for_parts();
    let document = document::finished(document);
    let guarded = guarded
        .route(
            "/v1/openapi.json",
            get(move || std::future::ready(axum::Json(document.clone()))),
        )
        .layer(middleware::from_fn(shape::plain))
        .layer(middleware::from_fn_with_state(admin.clone(), authenticate));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .merge(guarded)
        .merge(eureka::router(admin.clone()))
        .fallback(|| async { Refusal::NoPath })
        .method_not_allowed_fallback(|| async { Refusal::Method })
        .layer(middleware::from_fn_with_state(
            admin.clone(),
            guard::browsers,
        ))
        .layer(middleware::from_fn(shape::shaped))
        .layer(middleware::from_fn(trace::traced))
        .with_state(admin)
}

async fn authenticate(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(str::trim);
    // Compared by hash: how long it takes tells nothing of the token.
    match given {
        Some(given) if blake3::hash(given.as_bytes()) == blake3::hash(admin.token.as_bytes()) => {
            next.run(request).await
        }
        _ => Refusal::Token.into_response(),
    }
}

async fn ready(State(admin): State<Admin>) -> Result<&'static str, Refusal> {
    if admin.deployments.ready() {
        Ok("ready\n")
    } else {
        Err(Refusal::NotReady)
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let metrics = &admin.telemetry.metrics;
    metrics.set_registry_revision(admin.deployments.discovery().revision());
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.encode()).into_response()
}
