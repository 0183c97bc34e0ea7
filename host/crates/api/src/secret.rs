//! Secrets: everything about them but their values.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A secret as `GET /v1/secrets` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretSummary {
    /// Its name.
    pub name: String,
    /// Counts its values from 1.
    pub version: u64,
    /// When this value was set, RFC 3339.
    pub set: String,
    /// Services with a live revision that may read it.
    pub readers: Vec<String>,
}

/// Answer to `POST /v1/secrets-key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyRotation {
    /// Secrets that are sealed with the new key.
    pub secrets: usize,
}
