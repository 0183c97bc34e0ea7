//! One function a path of the admin API.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tracing::Instrument as _;
use utoipa::IntoParams;

use super::problem::Refusal;
use super::state::Admin;
use stoa_api::{
    DeployEvent, DeployRequest, DeploymentsUnderWay, PoolState, Problem, RevisionSummary,
    RouteSummary, ScaleRequest, ServiceDetail, ServiceSummary, TrafficReply, TrafficRequest,
};

/// A JSON body whose faults are problems.
pub(super) struct Input<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let read = Request::from_parts(parts.clone(), body);
        let body = Bytes::from_request(read, state).await;
        let body = body.map_err(|fault| of_status(fault.status(), fault.body_text()))?;
        if body.starts_with(BYTE_ORDER_MARK) {
            let fault = "expected JSON, found a byte order mark before it, which JSON has none of (RFC 8259)";
            return Err(Refusal::Input(fault.to_owned()));
        }
        let read = Request::from_parts(parts, Body::from(body));
        let Json(input) = Json::from_request(read, state).await?;
        Ok(Self(input))
    }
}

/// UTF-8's.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A query whose faults are problems.
#[derive(FromRequestParts)]
#[from_request(via(Query), rejection(Refusal))]
pub(super) struct Asked<T>(pub(super) T);

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        of_status(rejection.status(), rejection.body_text())
    }
}

fn of_status(status: StatusCode, fault: String) -> Refusal {
    match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Refusal::MediaType,
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
        _ => Refusal::Input(fault),
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::Input(rejection.body_text())
    }
}

type Answer<T> = Result<Json<T>, Refusal>;

/// Whether a component has been uploaded.
#[utoipa::path(head, path = "/v1/components/{sha256}", tag = "components",
    params(("sha256" = String, Path, description = "SHA-256 of the component, in hex")),
    responses((status = 200), (status = 404, body = Problem)))]
pub(super) async fn has_component(
    State(admin): State<Admin>,
    Path(digest): Path<String>,
) -> Result<StatusCode, Refusal> {
    if admin.deployments.components().has(&digest)? {
        Ok(StatusCode::OK)
    } else {
        Err(Refusal::NoComponent)
    }
}

/// Uploads a component.
#[utoipa::path(put, path = "/v1/components/{sha256}", tag = "components",
    params(("sha256" = String, Path, description = "SHA-256 of the component, in hex")),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201), (status = 413, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn put_component(
    State(admin): State<Admin>,
    Path(digest): Path<String>,
    body: Body,
) -> Result<StatusCode, Refusal> {
    admin
        .deployments
        .components()
        .store(&digest, body.into_data_stream())
        .await?;
    Ok(StatusCode::CREATED)
}

/// Deploys services together: all become live, or none. Progress as NDJSON; the
/// last line says how it ended.
#[utoipa::path(post, path = "/v1/deployments", tag = "services", request_body = DeployRequest,
    responses((status = 200, body = DeployEvent, content_type = "application/x-ndjson")))]
pub(super) async fn deploy(
    State(admin): State<Admin>,
    Input(request): Input<DeployRequest>,
) -> Response {
    let (events, progress) = mpsc::unbounded_channel();
    // It goes on when the client goes away: half a deployment is none.
    let deployment = async move {
        if let Err(error) = admin.deployments.deploy(request, events).await {
            // Its client is told all of it.
            tracing::warn!("deployment refused: {}", error.in_short());
        }
    };
    tokio::spawn(deployment.in_current_span());
    let lines = UnboundedReceiverStream::new(progress).map(|event: DeployEvent| {
        let mut line = serde_json::to_vec(&event)?;
        line.push(b'\n');
        Ok::<_, serde_json::Error>(Bytes::from(line))
    });
    (
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(lines),
    )
        .into_response()
}

/// What is being deployed, while other deployments wait for it.
#[utoipa::path(get, path = "/v1/deployments", tag = "services", responses((status = 200, body = DeploymentsUnderWay)))]
pub(super) async fn deployments(State(admin): State<Admin>) -> Json<DeploymentsUnderWay> {
    Json(admin.deployments.under_way())
}

/// All services.
#[utoipa::path(get, path = "/v1/services", tag = "services", responses((status = 200, body = Vec<ServiceSummary>)))]
pub(super) async fn list(State(admin): State<Admin>) -> Json<Vec<ServiceSummary>> {
    Json(admin.deployments.list())
}

/// One service.
#[utoipa::path(get, path = "/v1/services/{service}", tag = "services", params(("service" = String, Path)),
    responses((status = 200, body = ServiceDetail), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Answer<ServiceDetail> {
    Ok(Json(admin.deployments.show(&service)?))
}

/// What happens to the state of a service that goes.
#[derive(Deserialize, IntoParams)]
pub(super) struct Undeploy {
    /// Removes its buckets too.
    #[serde(default)]
    purge: bool,
}

/// Removes a service.
#[utoipa::path(delete, path = "/v1/services/{service}", tag = "services", params(("service" = String, Path), Undeploy),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn undeploy(
    State(admin): State<Admin>,
    Path(service): Path<String>,
    Asked(query): Asked<Undeploy>,
) -> Result<StatusCode, Refusal> {
    admin.deployments.undeploy(&service, query.purge).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The revisions of a service, newest first.
#[utoipa::path(get, path = "/v1/services/{service}/revisions", tag = "services", params(("service" = String, Path)),
    responses((status = 200, body = Vec<RevisionSummary>), (status = 404, body = Problem)))]
pub(super) async fn revisions(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Answer<Vec<RevisionSummary>> {
    Ok(Json(admin.deployments.revisions(&service)?))
}

/// Moves traffic: weights, promote, rollback.
#[utoipa::path(post, path = "/v1/services/{service}/traffic", tag = "services", params(("service" = String, Path)),
    request_body = TrafficRequest,
    responses((status = 200, body = TrafficReply), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn traffic(
    State(admin): State<Admin>,
    Path(service): Path<String>,
    Input(request): Input<TrafficRequest>,
) -> Answer<TrafficReply> {
    Ok(Json(admin.deployments.traffic(&service, &request).await?))
}

/// Changes the size of a service's pools.
#[utoipa::path(put, path = "/v1/services/{service}/scale", tag = "services", params(("service" = String, Path)),
    request_body = ScaleRequest,
    responses((status = 200, body = PoolState), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn scale(
    State(admin): State<Admin>,
    Path(service): Path<String>,
    Input(request): Input<ScaleRequest>,
) -> Answer<PoolState> {
    Ok(Json(admin.deployments.scale(&service, &request).await?))
}

/// A service's contract, as WIT.
#[utoipa::path(get, path = "/v1/services/{service}/contract", tag = "contracts", params(("service" = String, Path)),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 404, body = Problem)))]
pub(super) async fn contract(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Result<String, Refusal> {
    Ok(admin.deployments.contract(&service)?)
}

/// A service's routes, as OpenAPI 3.1.
#[utoipa::path(get, path = "/v1/services/{service}/openapi", tag = "contracts", params(("service" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(super) async fn openapi(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Answer<serde_json::Value> {
    Ok(Json(admin.deployments.openapi(&service)?))
}

/// All routes of all services, as OpenAPI 3.1.
#[utoipa::path(get, path = "/v1/app/openapi.json", tag = "contracts", responses((status = 200, body = Object)))]
pub(super) async fn app_openapi(State(admin): State<Admin>) -> Json<serde_json::Value> {
    Json(admin.deployments.app_openapi())
}

/// All routes.
#[utoipa::path(get, path = "/v1/routes", tag = "contracts", responses((status = 200, body = Vec<RouteSummary>)))]
pub(super) async fn routes(State(admin): State<Admin>) -> Json<Vec<RouteSummary>> {
    Json(admin.deployments.routes())
}
