//! Shapes of `/v1/tokens`: tokens for development.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `POST /v1/tokens`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// Who its holder is.
    pub subject: String,
    /// What its holder may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What else services learn of its holder.
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
    /// How long it is valid, such as `1h`, which it is without; `30d` at most.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "stoa_settings::duration_option"
    )]
    #[schema(value_type = Option<String>)]
    pub ttl: Option<Duration>,
}

/// Answer to `POST /v1/tokens`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// For `Authorization: Bearer TOKEN`.
    pub token: String,
    /// When it stops being valid, RFC 3339.
    pub expires: String,
}
