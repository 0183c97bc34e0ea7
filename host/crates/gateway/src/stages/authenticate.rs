//! Who calls, and whether they may.

use std::sync::Arc;

use super::rate_limit::RateLimit;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::identity::{Denied, Identity, LastToken};
use crate::rate::Limiter;
use crate::respond::{Answer, Refusal};

/// Finds the principal. On a public route too: a credential of ours must be valid
/// wherever it is given, and goes on to no component.
pub(crate) struct Authenticate {
    identity: Arc<Identity>,
    /// Counts those who are denied, where each caller has a limit of its own: what all
    /// share is not used up by those who may not call.
    denied: Option<RateLimit>,
}

impl Authenticate {
    pub(crate) fn compile(identity: Arc<Identity>, limiter: Option<Arc<Limiter>>) -> Self {
        let of_each = limiter.filter(|limiter| limiter.is_of_each());
        Self {
            identity,
            denied: of_each.map(RateLimit::new),
        }
    }

    pub(crate) async fn request(
        &self,
        exchange: &mut Exchange,
        to: &Endpoint,
        last: &LastToken,
    ) -> Answer {
        let (headers, client) = (&exchange.head.headers, &exchange.client);
        let access = &to.route.access;
        match self.identity.identify(access, headers, client, last).await {
            Ok(caller) => {
                caller.keep_credential(&mut exchange.head.headers);
                exchange.is_let_in(caller.principal, to.deadline(exchange.began));
                Ok(None)
            }
            Err(denied) => {
                // Who tries out credentials is told to wait, as who has one.
                if let Some(limit) = &self.denied
                    && !matches!(denied, Denied::Unchecked(_))
                {
                    limit.request(exchange)?;
                }
                Err(Refusal::Denied(denied))
            }
        }
    }
}
