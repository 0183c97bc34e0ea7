//! Services that are drained.

use crate::endpoint::{Destination, Endpoint, Function, Handler};
use crate::respond::{Answer, Refusal};
use stoa_mesh::upstream::SendError;

/// Lets requests through to a service that takes some. Before all else that could
/// answer: what is kept is not served meanwhile either.
pub(crate) struct Intake;

impl Intake {
    pub(crate) fn request(&self, to: &Endpoint) -> Answer {
        match &to.destination {
            Destination::Function(Function { guard, .. })
            | Destination::Handler(Handler { guard, .. }) => {
                guard.check().map_err(Refusal::Call)?;
            }
            Destination::Upstream(upstream) => {
                let drained = |_| SendError::Drained(upstream.name.clone());
                let checked = upstream.intake.check().map_err(drained);
                checked.map_err(Refusal::Upstream)?;
            }
        }
        Ok(None)
    }
}
