//! A service's live configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A service's configuration as `GET /v1/services/{service}/config` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigDetail {
    /// Counts the operator's changes, 0 where there was none: the answer's `ETag`.
    pub version: u64,
    /// What the heaviest live revision reads.
    pub values: BTreeMap<String, ConfigValue>,
}

/// A value, and who gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigValue {
    /// What the service reads.
    pub value: String,
    /// Who gave it.
    pub source: ConfigSource,
    /// The manifest's value, where the operator's goes before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

/// Who gave a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConfigSource {
    /// `[service.NAME.config]` of the manifest.
    Manifest,
    /// `stoa config set`; kept by a deployment.
    Operator,
}

/// Body of `PATCH /v1/services/{service}/config`, all of it or none (RFC 7396): keys
/// with their new values; null goes back to the manifest's.
pub type ConfigChanges = BTreeMap<String, Option<String>>;

/// Body of `PUT /v1/services/{service}/config/{key}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigText {
    /// The new value.
    pub value: String,
}

/// One change, as `GET /v1/services/{service}/config-history` lists them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigVersion {
    /// Its number.
    pub version: u64,
    /// When it was made, RFC 3339.
    pub at: String,
    /// What was new in it; null is a value that was unset.
    pub changes: BTreeMap<String, Option<String>>,
    /// The version that it went back to, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_to: Option<u64>,
}

/// Body of `POST /v1/services/{service}/config-rollback`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigRollback {
    /// The version to go back to, 0 for the manifest's values alone; `None` is
    /// the one before.
    pub to: Option<u64>,
}
