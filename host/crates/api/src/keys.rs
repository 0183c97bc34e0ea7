//! Shapes of `/v1/keys`: API keys.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `POST /v1/keys`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// For people: what it is for.
    pub name: String,
    /// What it may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How long it works, such as `30d`; without it, until it is revoked.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "stoa_settings::duration_option"
    )]
    #[schema(value_type = Option<String>)]
    pub expires: Option<Duration>,
}

/// Answer to `POST /v1/keys`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NewKey {
    /// The key. The host keeps a hash of it only: this is the one time that it is shown.
    pub key: String,
    /// What `GET /v1/keys` will say of it.
    #[serde(flatten)]
    pub summary: KeySummary,
}

/// A key as `GET /v1/keys` lists it. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeySummary {
    /// Its id, which stands in the key itself and in the subject `key:ID`.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created: String,
    /// When it stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
}
