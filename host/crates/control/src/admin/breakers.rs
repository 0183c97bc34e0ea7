//! `/v1/services/{service}/breaker`: what breakers are, and what they are held at.

use axum::Json;
use axum::extract::{Path, State};

use super::handlers::Input;
use super::problem::Refusal;
use super::state::Admin;
use stoa_api::{BreakerRequest, BreakerState, Problem};

/// The breakers of a service, one for each revision and link.
#[utoipa::path(get, path = "/v1/services/{service}/breaker", tag = "services", params(("service" = String, Path)),
    responses((status = 200, body = Vec<BreakerState>), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Result<Json<Vec<BreakerState>>, Refusal> {
    Ok(Json(admin.deployments.breakers(&service)?))
}

/// Holds the breakers of a service open or closed, or lets them go.
#[utoipa::path(put, path = "/v1/services/{service}/breaker", tag = "services", params(("service" = String, Path)),
    request_body = BreakerRequest,
    responses((status = 200, body = Vec<BreakerState>), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn force(
    State(admin): State<Admin>,
    Path(service): Path<String>,
    Input(request): Input<BreakerRequest>,
) -> Result<Json<Vec<BreakerState>>, Refusal> {
    let forced = admin.deployments.force_breakers(&service, &request).await?;
    Ok(Json(forced))
}
