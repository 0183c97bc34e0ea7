//! The response cache, for operators.

use axum::Json;
use axum::extract::State;

use super::handlers::Input;
use super::problem::Refusal;
use super::state::Admin;
use stoa_api::{Problem, PurgeReply, PurgeRequest};
use stoa_settings::config::faults::meant;

/// Removes answers from the response cache: of a service, with a tag, or all.
#[utoipa::path(post, path = "/v1/cache/purge", tag = "cache", request_body = PurgeRequest,
    responses((status = 200, body = PurgeReply), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn purge(
    State(admin): State<Admin>,
    Input(request): Input<PurgeRequest>,
) -> Result<Json<PurgeReply>, Refusal> {
    if let Some(service) = &request.service {
        admin.deployments.check_name(service)?;
    }
    if let Some(tag) = &request.tag {
        let known = admin.gateway.cache_tags();
        if !known.contains(tag) {
            let known = known.iter().map(String::as_str);
            let look = "`tags` of a route's `cache` in the manifest gives it one";
            return Err(Refusal::NoTag {
                tag: tag.clone(),
                hint: meant(tag, known, look),
            });
        }
    }
    let purged = admin
        .gateway
        .purge_cache(request.service.as_deref(), request.tag.as_deref());
    Ok(Json(PurgeReply { purged }))
}
