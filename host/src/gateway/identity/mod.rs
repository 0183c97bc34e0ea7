//! Who calls: from a request's credential to a principal, or a refusal.
//!
//! Asked once for a request. A route is closed unless it says that it is public.
//! A credential of ours (the operator's token, an API key) must be valid wherever
//! it is given; an `Authorization` that is not ours may be meant for the component,
//! so a public route passes it on and any other route refuses it.
//!
//! What a caller may do with which object is the service's to know, not ours.

mod api_keys;
mod credential;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;

use super::client::Client;
use crate::capabilities::context::Principal;
use crate::service::settings::Access;

pub use api_keys::{ApiKeys, KeyError};
use credential::{Carrier, Given};

/// Subject of who has the operator's token.
const OPERATOR: &str = "operator";

/// Every identity that a host accepts.
pub struct Identity {
    /// Hash of the operator's token, so that comparing tells nothing of it.
    operator_token: blake3::Hash,
    operator: Arc<Principal>,
    /// The API keys.
    pub keys: ApiKeys,
}

/// Who sent a request, as far as it can be told.
#[derive(Debug)]
pub(super) struct Caller {
    /// The caller; `None` on a public route to which nobody showed a credential.
    pub(super) principal: Option<Arc<Principal>>,
    carrier: Carrier,
}

/// Why a request may not use its route.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// The route asks for a credential, and there is none that could be ours.
    Missing,
    /// The credential is not valid: why, for the client.
    Invalid(&'static str),
    /// The caller is known, but lacks this scope.
    Scope(String),
    /// The credentials contradict each other: what was expected.
    Ambiguous(&'static str),
}

impl Identity {
    /// The identities of a host with this operator's token.
    pub fn new(operator_token: &str, keys: ApiKeys) -> Self {
        Self {
            operator_token: blake3::hash(operator_token.as_bytes()),
            operator: Arc::new(operator(Vec::new())),
            keys,
        }
    }

    /// Who calls, if the route may be used by them.
    pub(super) fn identify(
        &self,
        access: &Access,
        headers: &HeaderMap,
        client: &Client,
    ) -> Result<Caller, Denied> {
        let given = Given::read(headers)?;
        if let Some((key, carrier)) = given.key {
            return admit(access, self.keys.check(key, now())?, carrier);
        }
        if let Some(token) = given.bearer
            && blake3::hash(token.as_bytes()) == self.operator_token
        {
            return Ok(self.admit_operator(access));
        }
        if let Some(principal) = client.certificate() {
            return admit(access, principal.clone(), Carrier::Connection);
        }
        match (access, given.bearer) {
            (Access::Public, _) => Ok(Caller {
                principal: None,
                carrier: Carrier::Connection,
            }),
            (_, Some(_)) => Err(Denied::Invalid("the token is not one of this host's")),
            (_, None) => Err(Denied::Missing),
        }
    }

    /// The operator has every scope, and shows a service the one that it asks for.
    fn admit_operator(&self, access: &Access) -> Caller {
        let principal = match access {
            Access::Scope(scope) => Arc::new(operator(vec![scope.clone()])),
            Access::Public | Access::Authenticated => self.operator.clone(),
        };
        Caller {
            principal: Some(principal),
            carrier: Carrier::Authorization,
        }
    }
}

impl Caller {
    /// Takes the caller's credential out of a request that goes on to a component:
    /// it is for the gateway, and a component could use it as its own.
    pub(super) fn keep_credential(&self, headers: &mut HeaderMap) {
        if let Some(name) = self.carrier.header() {
            headers.remove(name);
        }
    }
}

fn admit(access: &Access, principal: Arc<Principal>, carrier: Carrier) -> Result<Caller, Denied> {
    if let Access::Scope(scope) = access
        && !principal.scopes.contains(scope)
    {
        return Err(Denied::Scope(scope.clone()));
    }
    Ok(Caller {
        principal: Some(principal),
        carrier,
    })
}

fn operator(scopes: Vec<String>) -> Principal {
    Principal {
        subject: OPERATOR.to_owned(),
        scopes,
        claims: Vec::new(),
    }
}

/// Seconds since 1970; 0 when the clock is before.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
