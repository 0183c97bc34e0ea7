//! `/v1/keys`: API keys.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::handlers::Input;
use super::problem::Refusal;
use super::state::Admin;
use stoa_api::{KeyRequest, KeySummary, NewKey, Problem};

/// All API keys, without their secrets.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", responses((status = 200, body = Vec<KeySummary>)))]
pub(super) async fn list(State(admin): State<Admin>) -> Json<Vec<KeySummary>> {
    Json(admin.identity.keys.list())
}

/// Makes an API key; the answer is the one place where its secret is shown.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = KeyRequest,
    responses((status = 201, body = NewKey), (status = 400, body = Problem)))]
pub(super) async fn create(
    State(admin): State<Admin>,
    Input(request): Input<KeyRequest>,
) -> Result<(StatusCode, Json<NewKey>), Refusal> {
    let key = admin.identity.keys.create(request).await?;
    Ok((StatusCode::CREATED, Json(key)))
}

/// Revokes an API key, at once and for good.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn revoke(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    admin.identity.keys.revoke(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
