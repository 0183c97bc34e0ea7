//! What the admin API refuses, and with which status: RFC 9457 problems.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::deploy::{ChangeError, ComponentError, ScheduleError};
use stoa_api::{Fault, Problem};
use stoa_gateway::identity::{KeyError, TokenError};
use stoa_mesh::queue::QueueError;
use stoa_mesh::schedule::NotBegun;
use stoa_mesh::upstream::NotRegistered;
use stoa_store::secrets::SecretsError;

/// Why a request was refused.
#[derive(Debug)]
pub(super) enum Refusal {
    Token,
    /// A page of another site had a browser send it.
    CrossSite,
    /// It is addressed to a host that this one is not known as.
    Host(String),
    NoPath,
    Method,
    NotReady,
    /// What was asked for ended in the middle.
    Interrupted,
    /// The body or a parameter can't be understood.
    Input(String),
    /// The path is no text.
    Path,
    /// The body is of another type.
    MediaType,
    /// The body has this content coding.
    Coding(String),
    /// The body is too long.
    TooLarge,
    Change(ChangeError),
    Component(ComponentError),
    Key(KeyError),
    Development(TokenError),
    /// There is no such component.
    NoComponent,
    NotRegistered(NotRegistered),
    Queue(QueueError),
    Schedule(ScheduleError),
    Secrets(SecretsError),
    /// No route has such a tag.
    NoTag {
        tag: String,
        hint: String,
    },
    /// Changes that are forgotten; the registry is at this revision.
    Compacted(u64),
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        Self::Change(error)
    }
}

impl From<ComponentError> for Refusal {
    fn from(error: ComponentError) -> Self {
        Self::Component(error)
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::Development(error)
    }
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<NotRegistered> for Refusal {
    fn from(error: NotRegistered) -> Self {
        Self::NotRegistered(error)
    }
}

impl From<ScheduleError> for Refusal {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::Change(error) => Self::Change(error),
            error => Self::Schedule(error),
        }
    }
}

impl From<SecretsError> for Refusal {
    fn from(error: SecretsError) -> Self {
        Self::Secrets(error)
    }
}

/// It begins, and is not waited for.
pub(super) fn accepted() -> StatusCode {
    StatusCode::ACCEPTED
}

/// Done, and nothing to say.
pub(super) fn no_content() -> StatusCode {
    StatusCode::NO_CONTENT
}

impl Refusal {
    /// The kind of refusal, in a word.
    pub(super) fn code(&self) -> &'static str {
        self.status_and_code().1
    }

    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Token => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::CrossSite => (StatusCode::FORBIDDEN, "cross_site"),
            Self::Host(_) => (StatusCode::FORBIDDEN, "admin_host"),
            Self::NoPath => (StatusCode::NOT_FOUND, "no_path"),
            Self::NoComponent => (StatusCode::NOT_FOUND, "no_component"),
            Self::NotRegistered(_) => (StatusCode::NOT_FOUND, "no_instance"),
            Self::Queue(QueueError::Unknown { .. }) => (StatusCode::NOT_FOUND, "no_queue"),
            Self::Queue(QueueError::Invalid(_)) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Self::Queue(QueueError::NotKept(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "queue_unavailable")
            }
            Self::Queue(QueueError::Store(_)) => (StatusCode::INTERNAL_SERVER_ERROR, "store"),
            Self::Schedule(ScheduleError::NotBegun(_, NotBegun::UnderWay)) => {
                (StatusCode::CONFLICT, "under_way")
            }
            Self::Schedule(ScheduleError::NotBegun(_, NotBegun::NotNow)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "draining")
            }
            Self::Schedule(_) => (StatusCode::NOT_FOUND, "no_schedule"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
            Self::Interrupted => (StatusCode::INTERNAL_SERVER_ERROR, "interrupted"),
            Self::Input(_) | Self::Path => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::MediaType | Self::Coding(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::Change(ChangeError::Refused(_)) => (StatusCode::CONFLICT, "refused"),
            Self::Change(ChangeError::NoService { .. }) => (StatusCode::NOT_FOUND, "no_service"),
            Self::Change(ChangeError::IsUpstream(_)) => (StatusCode::NOT_FOUND, "is_upstream"),
            Self::Change(ChangeError::NotLoaded(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "not_loaded")
            }
            Self::Change(ChangeError::NoRevision { .. }) => (StatusCode::NOT_FOUND, "no_revision"),
            Self::Change(ChangeError::Invalid(_)) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Self::Change(ChangeError::Stale { .. }) => (StatusCode::PRECONDITION_FAILED, "stale"),
            Self::Change(ChangeError::NoVersion(_)) => (StatusCode::NOT_FOUND, "no_version"),
            Self::Compacted(_) => (StatusCode::GONE, "compacted"),
            Self::Change(ChangeError::NoKey(_)) => (StatusCode::NOT_FOUND, "no_key"),
            Self::NoTag { .. } => (StatusCode::NOT_FOUND, "no_tag"),
            Self::Secrets(SecretsError::Name(_)) => (StatusCode::BAD_REQUEST, "bad_name"),
            Self::Secrets(SecretsError::Value(_)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "bad_secret")
            }
            Self::Secrets(SecretsError::Missing { .. }) => (StatusCode::NOT_FOUND, "no_secret"),
            Self::Secrets(
                SecretsError::Key(_) | SecretsError::Damaged(_) | SecretsError::Store(_),
            ) => (StatusCode::INTERNAL_SERVER_ERROR, "secrets"),
            Self::Change(ChangeError::Store(_)) => (StatusCode::INTERNAL_SERVER_ERROR, "store"),
            Self::Component(ComponentError::Digest(_)) => (StatusCode::BAD_REQUEST, "bad_digest"),
            Self::Component(ComponentError::Mismatch { .. }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "digest_mismatch")
            }
            Self::Component(ComponentError::TooLarge { .. }) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "component_too_large")
            }
            Self::Component(ComponentError::Upload(_)) => {
                (StatusCode::BAD_REQUEST, "broken_upload")
            }
            Self::Component(ComponentError::Io(_)) => (StatusCode::INTERNAL_SERVER_ERROR, "store"),
            Self::Development(TokenError::Off) => (StatusCode::CONFLICT, "development_tokens_off"),
            Self::Development(TokenError::Input(_)) => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::Development(TokenError::Key(_)) => (StatusCode::INTERNAL_SERVER_ERROR, "store"),
            Self::Key(KeyError::Input(_)) => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::Key(KeyError::NoKey { .. }) => (StatusCode::NOT_FOUND, "no_key"),
            Self::Key(KeyError::Random(_)) => (StatusCode::INTERNAL_SERVER_ERROR, "random"),
            Self::Key(KeyError::Store(_)) => (StatusCode::INTERNAL_SERVER_ERROR, "store"),
        }
    }

    fn faults(&self) -> &[Fault] {
        match self {
            Self::Change(
                ChangeError::Refused(faults)
                | ChangeError::Invalid(faults)
                | ChangeError::NoKey(faults),
            ) => faults,
            _ => &[],
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Token => "expected \"Authorization: Bearer TOKEN\" with the token from the file `token` in the \
                            host's data directory"
                .to_owned(),
            Self::CrossSite => "expected a request of a program or of a page of this very port; a browser sent it for a \
                                page of another origin, which may change nothing here"
                .to_owned(),
            Self::Host(host) => format!(
                "expected an address, localhost or one of `admin_hosts` as host, found {host:?}: the port listens on \
                 loopback, where a name from elsewhere is a way for foreign pages to reach it; put the name into \
                 `admin_hosts` of the host's settings if it is meant"
            ),
            Self::NoPath => "there is no such path; GET /v1/openapi.json lists them".to_owned(),
            Self::NoComponent => "the component has not been uploaded".to_owned(),
            Self::Method => "the path takes other methods; GET /v1/openapi.json lists them".to_owned(),
            Self::Interrupted => "it ended in the middle: see the log, and try again".to_owned(),
            Self::NotReady => "a service that should be live could not be loaded: see the log".to_owned(),
            Self::Input(reason) => reason.clone(),
            Self::Path => "the path is not UTF-8 once it is decoded".to_owned(),
            Self::MediaType => "expected JSON, with Content-Type: application/json".to_owned(),
            Self::Coding(found) => {
                format!("expected a body as it is, without Content-Encoding, found one in {found:?}")
            }
            Self::TooLarge => "the body is longer than any of its kind that is needed".to_owned(),
            Self::NotRegistered(error) => error.to_string(),
            Self::Queue(error) => error.to_string(),
            Self::Schedule(error) => error.to_string(),
            Self::Change(error) => error.to_string(),
            Self::Component(error) => error.to_string(),
            Self::Key(error) => error.to_string(),
            Self::Compacted(revision) => format!(
                "the changes after that revision are forgotten: take a new snapshot; the registry is at revision {revision}"
            ),
            Self::Secrets(error) => error.to_string(),
            Self::NoTag { tag, hint } => format!("no route has the tag {tag:?}{hint}"),
            Self::Development(error) => error.to_string(),
        }
    }
}

/// The problem itself is written by [`told`], which knows the request's trace.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        if status.is_server_error() {
            tracing::error!(code, "admin request failed: {self:?}");
        }
        let mut response = status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The response as its client gets it: a refusal as a problem that names its trace.
pub(super) fn told(mut response: Response, trace_id: &str) -> Response {
    match response.extensions_mut().remove::<Arc<Refusal>>() {
        Some(refusal) => {
            let mut told = problem(&refusal, trace_id);
            if let Some(ends) = response.headers_mut().remove(header::CONNECTION) {
                told.headers_mut().insert(header::CONNECTION, ends);
            }
            told
        }
        None => response,
    }
}

fn problem(refusal: &Refusal, trace_id: &str) -> Response {
    let (status, code) = refusal.status_and_code();
    let problem = Problem {
        status: status.as_u16(),
        title: status.canonical_reason().unwrap_or("Error").to_owned(),
        detail: Some(refusal.detail()),
        code: code.to_owned(),
        trace_id: trace_id.to_owned(),
        faults: refusal.faults().to_vec(),
    };
    let mut response = (status, Json(problem)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
