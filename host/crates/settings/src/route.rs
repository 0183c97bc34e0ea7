//! A route of a service: which requests it takes, and what becomes of them.

use std::collections::BTreeMap;

use http::HeaderName;
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Access, Cache, Choice, Compression, Cors, Idempotency, OnDisconnect, Priority, Rate, Target,
};

/// One way in over HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Upper-case method; `None` is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Lower-case host name without a port; `None` is any.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lower_case"
    )]
    pub host: Option<String>,
    /// `/products/{id}`, or with a trailing wildcard `/files/*`.
    pub path: String,
    /// What answers.
    pub target: Target,
    /// Status of a success; `None` is 200, or 204 where there is no body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Where what a success has made is, as `/orders/{id}`: each name is a field of the
    /// result. Told in the answer's `Location`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Who may call.
    #[serde(default)]
    pub access: Access,
    /// How long answers to GET may be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// Whether answers are kept for a client that asks again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<Idempotency>,
    /// Case of the function's own error type → status. The standard
    /// `stoa:service/types.error` needs none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, u16>,
    /// Parameters that are headers of the request: each with the header's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The parameter that is the request's body as it was sent, whatever its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// How many requests a caller may send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Choice<Rate>>,
    /// Which pages of other origins may use the route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Choice<Cors>>,
    /// Whether answers may be compressed.
    #[serde(default, skip_serializing_if = "Compression::is_on")]
    pub compression: Compression,
    /// How much its calls matter when the service has too many.
    #[serde(default, skip_serializing_if = "Priority::is_default")]
    pub priority: Priority,
    /// What becomes of a call whose client leaves; `None` is what its method says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_disconnect: Option<OnDisconnect>,
}

/// A host may be written in any case, as in the manifest.
fn lower_case<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let host = Option::<String>::deserialize(from)?;
    Ok(host.map(|host| host.to_ascii_lowercase()))
}

impl Route {
    /// The manifest's key for this route: `GET example.com/products/{id}`.
    pub fn key(&self) -> String {
        route_key(self.method.as_deref(), self.host.as_deref(), &self.path)
    }

    /// The headers that are parameters, each once.
    pub fn bound_headers(&self) -> Vec<HeaderName> {
        let mut names = Vec::new();
        for name in self.headers.values().filter_map(|name| name.parse().ok()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// As [`Route::key`].
pub fn route_key(method: Option<&str>, host: Option<&str>, path: &str) -> String {
    let method = method.map(|method| format!("{method} "));
    format!(
        "{}{}{path}",
        method.unwrap_or_default(),
        host.unwrap_or_default()
    )
}
