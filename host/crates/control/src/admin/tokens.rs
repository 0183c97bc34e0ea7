//! `/v1/tokens`: tokens for development.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::handlers::Input;
use super::problem::Refusal;
use super::state::Admin;
use stoa_api::{NewToken, Problem, TokenRequest};

/// Signs a token for development: its holder is whoever the request says.
#[utoipa::path(post, path = "/v1/tokens", tag = "keys", request_body = TokenRequest,
    responses((status = 201, body = NewToken), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn create(
    State(admin): State<Admin>,
    Input(request): Input<TokenRequest>,
) -> Result<(StatusCode, Json<NewToken>), Refusal> {
    let token = admin.identity.development_token(&request)?;
    Ok((StatusCode::CREATED, Json(token)))
}
