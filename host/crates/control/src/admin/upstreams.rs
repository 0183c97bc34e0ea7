//! `/v1/upstreams`: services that are no components, and who joins them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use tokio::sync::mpsc;

use super::handlers::Input;
use super::problem::Refusal;
use super::state::Admin;
use stoa_api::upstream::{Registration, StatusRequest, UpstreamDeploy, UpstreamDetail};
use stoa_api::{DeployRequest, Problem};
use stoa_settings::upstream::UpstreamSettings;

/// All upstreams.
#[utoipa::path(get, path = "/v1/upstreams", tag = "upstreams", responses((status = 200, body = Vec<UpstreamDetail>)))]
pub(super) async fn list(State(admin): State<Admin>) -> Json<Vec<UpstreamDetail>> {
    Json(admin.deployments.upstreams())
}

/// One upstream, with its instances.
#[utoipa::path(get, path = "/v1/upstreams/{upstream}", tag = "upstreams", params(("upstream" = String, Path)),
    responses((status = 200, body = UpstreamDetail), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(admin): State<Admin>,
    Path(upstream): Path<String>,
) -> Result<Json<UpstreamDetail>, Refusal> {
    Ok(Json(admin.deployments.upstream(&upstream)?))
}

/// Declares an upstream, anew or for the first time.
#[utoipa::path(put, path = "/v1/upstreams/{upstream}", tag = "upstreams", params(("upstream" = String, Path)),
    request_body(content = Object, description = "The settings, as a section of a manifest has them"),
    responses((status = 200, body = UpstreamDetail), (status = 409, body = Problem)))]
pub(super) async fn declare(
    State(admin): State<Admin>,
    Path(upstream): Path<String>,
    Input(settings): Input<UpstreamSettings>,
) -> Result<Json<UpstreamDetail>, Refusal> {
    let request = DeployRequest {
        services: Vec::new(),
        upstreams: vec![UpstreamDeploy {
            upstream: upstream.clone(),
            settings,
        }],
        wait: false,
    };
    let (events, _unheard) = mpsc::unbounded_channel();
    admin.deployments.deploy(request, events).await?;
    Ok(Json(admin.deployments.upstream(&upstream)?))
}

/// Removes an upstream and all that joined it.
#[utoipa::path(delete, path = "/v1/upstreams/{upstream}", tag = "upstreams", params(("upstream" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn remove(
    State(admin): State<Admin>,
    Path(upstream): Path<String>,
) -> Result<StatusCode, Refusal> {
    // The same path of a component's service is no upstream.
    admin.deployments.upstream(&upstream)?;
    admin.deployments.undeploy(&upstream, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An instance joins, or joins anew; it stays as long as it sends heartbeats.
#[utoipa::path(put, path = "/v1/upstreams/{upstream}/instances/{id}", tag = "upstreams",
    params(("upstream" = String, Path), ("id" = String, Path)), request_body = Registration,
    responses((status = 204), (status = 409, body = Problem)))]
pub(super) async fn join(
    State(admin): State<Admin>,
    Path((upstream, id)): Path<(String, String)>,
    Input(registration): Input<Registration>,
) -> Result<StatusCode, Refusal> {
    let deployments = &admin.deployments;
    deployments
        .join_upstream(&upstream, &id, &registration)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An instance leaves.
#[utoipa::path(delete, path = "/v1/upstreams/{upstream}/instances/{id}", tag = "upstreams",
    params(("upstream" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn leave(
    State(admin): State<Admin>,
    Path((upstream, id)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    let registry = admin.deployments.upstream_registry();
    registry.leave(&upstream, &id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A sign of life, every 5 s; 404 says that the instance has to join anew.
#[utoipa::path(put, path = "/v1/upstreams/{upstream}/instances/{id}/heartbeat", tag = "upstreams",
    params(("upstream" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn heartbeat(
    State(admin): State<Admin>,
    Path((upstream, id)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    let registry = admin.deployments.upstream_registry();
    registry.heartbeat(&upstream, &id, None)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Holds an instance at a state, such as `OUT_OF_SERVICE`, whatever it says of itself.
#[utoipa::path(put, path = "/v1/upstreams/{upstream}/instances/{id}/status", tag = "upstreams",
    params(("upstream" = String, Path), ("id" = String, Path)), request_body = StatusRequest,
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn status(
    State(admin): State<Admin>,
    Path((upstream, id)): Path<(String, String)>,
    Input(request): Input<StatusRequest>,
) -> Result<StatusCode, Refusal> {
    let registry = admin.deployments.upstream_registry();
    registry.force(&upstream, &id, request.status)?;
    Ok(StatusCode::NO_CONTENT)
}
