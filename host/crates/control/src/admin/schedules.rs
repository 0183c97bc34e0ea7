//! `/v1/schedules`: functions that the clock calls, and what an operator makes of them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::handlers::Input;
use super::problem::{Refusal, accepted};
use super::state::Admin;
use stoa_api::{PauseRequest, Problem, RunUnderWay, ScheduleDetail, ScheduleSummary};

/// All schedules.
#[utoipa::path(get, path = "/v1/schedules", tag = "schedules", responses((status = 200, body = Vec<ScheduleSummary>)))]
pub(super) async fn list(State(admin): State<Admin>) -> Json<Vec<ScheduleSummary>> {
    Json(admin.deployments.schedules())
}

/// One schedule, with its last runs. The function's name is one segment: its slash is
/// encoded.
#[utoipa::path(get, path = "/v1/schedules/{service}/{function}", tag = "schedules",
    params(("service" = String, Path), ("function" = String, Path)),
    responses((status = 200, body = ScheduleDetail), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(admin): State<Admin>,
    Path((service, function)): Path<(String, String)>,
) -> Result<Json<ScheduleDetail>, Refusal> {
    Ok(Json(admin.deployments.schedule(&service, &function).await?))
}

/// Calls the function now, whatever its slots are; refused while a run is under way. How
/// it ends is among the schedule's runs, by its number.
#[utoipa::path(post, path = "/v1/schedules/{service}/{function}/run", tag = "schedules",
    params(("service" = String, Path), ("function" = String, Path)),
    responses((status = 202, body = RunUnderWay), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn run(
    State(admin): State<Admin>,
    Path((service, function)): Path<(String, String)>,
) -> Result<(StatusCode, Json<RunUnderWay>), Refusal> {
    let begun = admin.deployments.run_schedule(&service, &function)?;
    Ok((accepted(), Json(begun)))
}

/// Has the slots of a schedule pass without a call, or not any more. It stays so over
/// deployments and restarts.
#[utoipa::path(put, path = "/v1/schedules/{service}/{function}/paused", tag = "schedules",
    params(("service" = String, Path), ("function" = String, Path)), request_body = PauseRequest,
    responses((status = 200, body = ScheduleDetail), (status = 404, body = Problem)))]
pub(super) async fn pause(
    State(admin): State<Admin>,
    Path((service, function)): Path<(String, String)>,
    Input(request): Input<PauseRequest>,
) -> Result<Json<ScheduleDetail>, Refusal> {
    let deployments = &admin.deployments;
    let paused = deployments.pause_schedule(&service, &function, request.paused);
    Ok(Json(paused.await?))
}
