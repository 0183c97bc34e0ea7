//! Secrets over the wire. They go in; no path gives a value back.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use tracing::Instrument as _;

use super::problem::{Refusal, no_content};
use super::state::Admin;
use stoa_api::{KeyRotation, Problem, SecretSummary};
use stoa_store::secrets::SecretInfo;

type Readers = BTreeMap<String, BTreeSet<String>>;

/// All secrets: their names, and who may read them.
#[utoipa::path(get, path = "/v1/secrets", tag = "secrets", responses((status = 200, body = Vec<SecretSummary>)))]
pub(super) async fn list(State(admin): State<Admin>) -> Json<Vec<SecretSummary>> {
    let readers = admin.deployments.secret_readers();
    let secrets = admin.deployments.secrets().list().into_iter();
    Json(secrets.map(|info| summary(info, &readers)).collect())
}

/// Sets a secret. The body is its value, as it is: text of at most 64 KiB.
#[utoipa::path(put, path = "/v1/secrets/{name}", tag = "secrets", params(("name" = String, Path)),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, body = SecretSummary), (status = 400, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn set(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    headers: HeaderMap,
    value: Bytes,
) -> Result<Json<SecretSummary>, Refusal> {
    if is_wrapped(&headers, &value) {
        return Err(Refusal::Input(
            "expected the secret itself as the body, found {\"value\": …}".to_owned(),
        ));
    }
    let info = admin.deployments.secrets().set(&name, &value).await?;
    tracing::info!(secret = info.name, version = info.version, "secret set");
    let readers = admin.deployments.secret_readers();
    Ok(Json(summary(info, &readers)))
}

/// Whether a body is an object that has the value, as other paths take one: nobody's
/// secret looks so.
fn is_wrapped(headers: &HeaderMap, body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wrapped {
        #[serde(rename = "value")]
        _value: serde_json::Value,
    }
    let media = headers.get(header::CONTENT_TYPE);
    media.is_some_and(|media| media.as_bytes().starts_with(b"application/json"))
        && serde_json::from_slice::<Wrapped>(body).is_ok()
}

/// Removes a secret; services that may read it find none.
#[utoipa::path(delete, path = "/v1/secrets/{name}", tag = "secrets", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn remove(
    State(admin): State<Admin>,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, Refusal> {
    admin.deployments.secrets().remove(&name).await?;
    tracing::info!(secret = name, "secret removed");
    Ok(no_content())
}

/// Makes a new key and seals all secrets with it.
#[utoipa::path(post, path = "/v1/secrets-key", tag = "secrets", responses((status = 200, body = KeyRotation)))]
pub(super) async fn rotate_key(State(admin): State<Admin>) -> Result<Json<KeyRotation>, Refusal> {
    let rotation = async move { admin.deployments.secrets().rotate_key().await };
    // A client that goes away must not stop it half-way.
    let secrets = tokio::spawn(rotation.in_current_span())
        .await
        .map_err(|_| Refusal::Interrupted)??;
    tracing::info!(secrets, "the key of secrets was rotated");
    Ok(Json(KeyRotation { secrets }))
}

fn summary(info: SecretInfo, readers: &Readers) -> SecretSummary {
    let readers = readers.get(&info.name).into_iter().flatten();
    SecretSummary {
        readers: readers.cloned().collect(),
        name: info.name,
        version: info.version,
        set: info.set,
    }
}
