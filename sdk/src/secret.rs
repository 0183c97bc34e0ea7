//! Secrets that the operator keeps for the service, read when they are used: a
//! new value is seen at once. What is read must not be logged or kept.

use crate::bindings::stoa::service::secrets;
use crate::{Error, unavailable};

/// The secret's value, or `None` when it is not set.
///
/// The operator's log says which grant is missing; the client is told only that
/// the service can't work now.
pub fn get(name: &str) -> Result<Option<String>, Error> {
    secrets::get(name).map_err(|fault| {
        match fault {
            secrets::Error::NotGranted(reason) | secrets::Error::Unavailable(reason) => {
                tracing::error!("{reason}");
            }
        }
        unavailable!("a secret of the service can't be read now")
    })
}

/// The secret's value, of a secret that the service can't work without.
pub fn require(name: &str) -> Result<String, Error> {
    get(name)?.ok_or_else(|| {
        tracing::error!("the secret {name:?} is not set: `stoa secret set {name}`");
        unavailable!("a secret of the service is not set")
    })
}
