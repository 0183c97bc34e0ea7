//! Who calls: from a request's credential to a principal, or a refusal.
//!
//! Asked once for a request. A route is closed unless it says that it is public.
//! A credential of ours (the operator's token, an API key, a token of an issuer that
//! we trust) must be valid wherever it is given; an `Authorization` that is not ours may be meant for the component,
//! so a public route passes it on and any other route refuses it.
//!
//! What a caller may do with which object is the service's to know, not ours.

mod api_keys;
mod credential;
mod jwt;
mod reserved;

use std::sync::Arc;

use http::HeaderMap;

use super::client::Client;
use stoa_api::{NewToken, TokenRequest};
use stoa_call::Principal;
use stoa_http::client::now;
use stoa_http::shutdown::Drain;
use stoa_http::tls::Ended;
use stoa_settings::Access;
use stoa_settings::config::Config;
use stoa_store::Records;
use stoa_telemetry::metrics::Metrics;

pub use api_keys::{ApiKeys, KeyError};
use credential::{Carrier, Given};
pub(super) use jwt::LastToken;
pub use jwt::TokenError;
use jwt::Tokens;
use reserved::OPERATOR;

/// Every identity that a host accepts.
pub struct Identity {
    operator_token: OperatorToken,
    operator: Arc<Principal>,
    /// The API keys.
    pub keys: ApiKeys,
    tokens: Tokens,
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
    /// The credential can't be checked now: why, for the client.
    Unchecked(&'static str),
    /// The caller is known, but lacks this scope.
    Scope(String),
    /// The certificate that the connection began with is good no longer.
    Certificate(Ended),
    /// The credentials contradict each other: what was expected.
    Ambiguous(&'static str),
}

impl Identity {
    /// The identities of a host with this operator's token, by its settings and by
    /// what is in its data directory.
    ///
    /// # Errors
    /// When keys can't be read.
    pub async fn open(
        config: &Config,
        operator_token: &str,
        records: Arc<dyn Records>,
        metrics: &Metrics,
    ) -> anyhow::Result<Self> {
        let tokens = Tokens::open(&config.jwt, &config.data, &records).await?;
        metrics.register(jwt::Age(tokens.jwks().cloned().collect()));
        Ok(Self {
            operator_token: OperatorToken::new(operator_token),
            operator: Arc::new(operator(Vec::new())),
            keys: ApiKeys::open(records).await?,
            tokens,
        })
    }

    /// Keeps what is on disk and at issuers in step, until the drain begins.
    pub async fn tend(&self, drain: Drain) {
        tokio::join!(self.keys.tend(drain.clone()), self.tokens.tend(drain));
    }

    /// Signs a token for development.
    ///
    /// # Errors
    /// When the operator does not want such, or the request makes no sense.
    pub fn development_token(&self, request: &TokenRequest) -> Result<NewToken, TokenError> {
        self.tokens.development.sign(request, now())
    }

    /// Who calls, if the route may be used by them.
    pub(super) async fn identify(
        &self,
        access: &Access,
        headers: &HeaderMap,
        client: &Client,
        last: &LastToken,
    ) -> Result<Caller, Denied> {
        let given = Given::read(headers)?;
        // Boxed: few requests are odd, and each one's future would have room for it.
        if given.is_odd() {
            Box::pin(self.refuse_odd(&given)).await?;
        }
        if let Some((key, carrier)) = given.key {
            return admit(access, self.keys.check(key, now())?, carrier);
        }
        if let Some(token) = given.bearer {
            if self.operator_token.is(token) {
                return Ok(self.admit_operator(access));
            }
            if let Some(principal) = self.tokens.check(token, now(), last).await? {
                return admit(access, principal, Carrier::Authorization);
            }
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

    /// Refuses a token of ours that is where none may be, or beside an API key: it would go
    /// on to who stands behind.
    async fn refuse_odd(&self, given: &Given<'_>) -> Result<(), Denied> {
        for token in given.misplaced.into_iter().flatten() {
            if self.is_ours(token).await {
                return Err(Denied::Invalid(
                    "a token stands after \"Bearer\" in Authorization",
                ));
            }
        }
        match (given.key, given.bearer) {
            (Some(_), Some(token)) if self.is_ours(token).await => Err(Denied::Ambiguous(
                "expected an API key or a token, found both",
            )),
            _ => Ok(()),
        }
    }

    /// Whether it is a token that this host knows, valid or not.
    async fn is_ours(&self, token: &str) -> bool {
        let nobody = LastToken::default();
        let checked = self.tokens.check(token, now(), &nobody);
        self.operator_token.is(token) || !matches!(checked.await, Ok(None))
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

/// The operator's token by its hash, so that comparing tells nothing of it but its
/// length, which is no secret.
struct OperatorToken {
    length: usize,
    hash: blake3::Hash,
}

impl OperatorToken {
    fn new(token: &str) -> Self {
        Self {
            length: token.len(),
            hash: blake3::hash(token.as_bytes()),
        }
    }

    fn is(&self, token: &str) -> bool {
        token.len() == self.length && blake3::hash(token.as_bytes()) == self.hash
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

#[cfg(test)]
mod tests;
