//! A service's live configuration over the wire. `ETag` is the version; a change
//! with `If-Match` is made to that version or not at all.

use std::convert::Infallible;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::handlers::Input;
use super::problem::Refusal;
use super::state::Admin;
use stoa_api::{
    ConfigChanges, ConfigDetail, ConfigRollback, ConfigText, ConfigValue, ConfigVersion, Problem,
};
use stoa_http::conditions::Conditions;

/// The configuration that a service reads, and who gave each value.
#[utoipa::path(get, path = "/v1/services/{service}/config", tag = "config", params(("service" = String, Path)),
    responses((status = 200, body = ConfigDetail), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Result<Response, Refusal> {
    Ok(tagged(admin.deployments.config(&service)?))
}

/// Sets several values and unsets others (null), all or none.
#[utoipa::path(patch, path = "/v1/services/{service}/config", tag = "config",
    params(("service" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = Object,
    responses((status = 200, body = ConfigDetail), (status = 404, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn change(
    State(admin): State<Admin>,
    Path(service): Path<String>,
    Condition(conditions): Condition,
    Input(changes): Input<ConfigChanges>,
) -> Result<Response, Refusal> {
    let deployments = &admin.deployments;
    Ok(tagged(
        deployments
            .change_config(&service, &changes, &conditions)
            .await?,
    ))
}

/// One value.
#[utoipa::path(get, path = "/v1/services/{service}/config/{key}", tag = "config",
    params(("service" = String, Path), ("key" = String, Path)),
    responses((status = 200, body = ConfigValue), (status = 404, body = Problem)))]
pub(super) async fn show_key(
    State(admin): State<Admin>,
    Path((service, key)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let (value, version) = admin.deployments.config_value(&service, &key)?;
    Ok(([(header::ETAG, etag(version))], Json(value)).into_response())
}

/// Sets one value.
#[utoipa::path(put, path = "/v1/services/{service}/config/{key}", tag = "config",
    params(("service" = String, Path), ("key" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = ConfigText,
    responses((status = 200, body = ConfigDetail), (status = 404, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn set(
    State(admin): State<Admin>,
    Path((service, key)): Path<(String, String)>,
    Condition(conditions): Condition,
    Input(text): Input<ConfigText>,
) -> Result<Response, Refusal> {
    let changes = ConfigChanges::from([(key, Some(text.value))]);
    let deployments = &admin.deployments;
    Ok(tagged(
        deployments
            .change_config(&service, &changes, &conditions)
            .await?,
    ))
}

/// Goes back to the manifest's value.
#[utoipa::path(delete, path = "/v1/services/{service}/config/{key}", tag = "config",
    params(("service" = String, Path), ("key" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = ConfigDetail), (status = 404, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn unset(
    State(admin): State<Admin>,
    Path((service, key)): Path<(String, String)>,
    Condition(conditions): Condition,
) -> Result<Response, Refusal> {
    let changes = ConfigChanges::from([(key, None)]);
    let deployments = &admin.deployments;
    Ok(tagged(
        deployments
            .change_config(&service, &changes, &conditions)
            .await?,
    ))
}

/// The operator's changes that are remembered, newest first.
#[utoipa::path(get, path = "/v1/services/{service}/config-history", tag = "config", params(("service" = String, Path)),
    responses((status = 200, body = Vec<ConfigVersion>), (status = 404, body = Problem)))]
pub(super) async fn history(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Result<Json<Vec<ConfigVersion>>, Refusal> {
    Ok(Json(admin.deployments.config_history(&service)?))
}

/// Goes back to an old version, as a new one.
#[utoipa::path(post, path = "/v1/services/{service}/config-rollback", tag = "config",
    params(("service" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = ConfigRollback,
    responses((status = 200, body = ConfigDetail), (status = 404, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn rollback(
    State(admin): State<Admin>,
    Path(service): Path<String>,
    Condition(conditions): Condition,
    Input(request): Input<ConfigRollback>,
) -> Result<Response, Refusal> {
    let deployments = &admin.deployments;
    Ok(tagged(
        deployments
            .rollback_config(&service, request.to, &conditions)
            .await?,
    ))
}

/// The request's `If-Match` and `If-None-Match`.
pub(super) struct Condition(Conditions);

impl<S: Sync> FromRequestParts<S> for Condition {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Conditions::of(&parts.headers)))
    }
}

fn tagged(detail: ConfigDetail) -> Response {
    ([(header::ETAG, etag(detail.version))], Json(detail)).into_response()
}

fn etag(version: u64) -> String {
    format!("\"{version}\"")
}
