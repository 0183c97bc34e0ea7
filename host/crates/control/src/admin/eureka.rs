//! Eureka's REST interface, as far as its clients use it (`/eureka/v2`, and
//! `/eureka` as Spring has it): what registers is an upstream.
//!
//! Answers are those of Netflix's server, statuses included: a heartbeat of an
//! instance that is not known is a 404, and its client registers again. Clients
//! send no bearer token but a user and a password (`http://eureka:TOKEN@HOST/…`):
//! the password is the admin token.

mod handlers;
pub mod model;
pub mod registry;
mod sink;
pub mod wire;
pub mod xml;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post, put};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use sink::UpstreamSink;

use super::state::Admin;
use registry::Registry;
use stoa_http::shutdown::Drain;

/// How often leases are looked at: an instance is gone at most so much later than
/// its lease says.
const SWEEP: Duration = Duration::from_secs(5);
/// Bytes of a registration: an instance has one or two KiB and its metadata.
const BODY: usize = 64 << 10;

/// The paths below `/eureka`, behind their own way to say who one is.
pub(super) fn router(admin: Admin) -> Router<Admin> {
    let paths = Router::new()
        .route("/apps", get(handlers::apps))
        .route("/apps/", get(handlers::apps))
        .route("/apps/delta", get(handlers::delta))
        .route("/apps/{app}", post(handlers::register).get(handlers::app))
        .route(
            "/apps/{app}/{id}",
            get(handlers::instance)
                .put(handlers::renew)
                .delete(handlers::cancel),
        )
        .route(
            "/apps/{app}/{id}/status",
            put(handlers::set_status).delete(handlers::unset_status),
        )
        .route("/apps/{app}/{id}/metadata", put(handlers::set_metadata))
        .route("/instances/{id}", get(handlers::instance_anywhere))
        .route("/vips/{vip}", get(handlers::vip))
        .route("/svips/{vip}", get(handlers::secure_vip));
    Router::new()
        .nest("/eureka/v2", paths.clone())
        .nest("/eureka", paths)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn_with_state(admin, authenticate))
}

/// Takes out instances whose leases have ended, until the host ends.
pub async fn sweep(registry: Arc<Registry>, drain: Drain) {
    let mut sweeps = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            _ = sweeps.tick() => registry.sweep(),
            () = drain.begun() => return,
        }
    }
}

async fn authenticate(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given
        .and_then(|value| value.to_str().ok())
        .and_then(password);
    // Compared by hash: how long it takes tells nothing of the token.
    match given {
        Some(given) if blake3::hash(&given) == blake3::hash(admin.token.as_bytes()) => {
            next.run(request).await
        }
        _ => wire::unauthorized(),
    }
}

/// The password of `Basic`, or the token of `Bearer`.
fn password(header: &str) -> Option<Vec<u8>> {
    let (scheme, rest) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(rest.trim()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_the_token() {
        let basic = |pair: &str| password(&format!("Basic {}", STANDARD.encode(pair)));
        assert_eq!(basic("eureka:t:1"), Some(b"t:1".to_vec()));
        assert_eq!(basic(":t"), Some(b"t".to_vec()));
        assert_eq!(basic("t"), None);
        assert_eq!(password("Bearer t"), Some(b"t".to_vec()));
        for none in ["", "Basic", "Basic ###", "Digest t"] {
            assert_eq!(password(none), None, "{none}");
        }
    }
}
