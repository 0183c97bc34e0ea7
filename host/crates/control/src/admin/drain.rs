//! `/v1/services/{service}/drain`: a service takes no new calls; `/v1/drain`: the host ends.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::problem::{Refusal, accepted};
use super::state::Admin;
use stoa_api::{DrainState, HostDrain, Problem};

/// Whether a service or an upstream is drained, and what of it is under way.
#[utoipa::path(get, path = "/v1/services/{service}/drain", tag = "services", params(("service" = String, Path)),
    responses((status = 200, body = DrainState), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Result<Json<DrainState>, Refusal> {
    Ok(Json(admin.deployments.drain_state(&service)?))
}

/// Has a service or an upstream take no new calls: 503 `draining`. Those under way end;
/// `GET` tells how many are left. It stays so over deployments and restarts.
#[utoipa::path(post, path = "/v1/services/{service}/drain", tag = "services", params(("service" = String, Path)),
    responses((status = 200, body = DrainState), (status = 404, body = Problem)))]
pub(super) async fn begin(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Result<Json<DrainState>, Refusal> {
    Ok(Json(admin.deployments.drain_service(&service).await?))
}

/// Lets a drained service take calls again.
#[utoipa::path(delete, path = "/v1/services/{service}/drain", tag = "services", params(("service" = String, Path)),
    responses((status = 200, body = DrainState), (status = 404, body = Problem)))]
pub(super) async fn undo(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Result<Json<DrainState>, Refusal> {
    Ok(Json(admin.deployments.undrain_service(&service).await?))
}

/// Ends the host as SIGTERM does: no new connections, what is under way ends, and the
/// process exits.
#[utoipa::path(post, path = "/v1/drain", tag = "host", responses((status = 202, body = HostDrain)))]
pub(super) async fn host(State(admin): State<Admin>) -> (StatusCode, Json<HostDrain>) {
    tracing::info!("told to drain by an operator");
    admin.stop.ask();
    let limit_ms = admin.stop.limit().as_millis();
    let limit_ms = u64::try_from(limit_ms).unwrap_or(u64::MAX);
    (accepted(), Json(HostDrain { limit_ms }))
}
