//! Services that are drained.

use crate::endpoint::{Destination, Endpoint};
use crate::respond::{Answer, Refusal};

/// Lets requests through to a service that takes some. Before all else that could
/// answer: what is kept is not served meanwhile either.
pub(crate) struct Intake;

impl Intake {
    pub(crate) fn request(&self, to: &Endpoint) -> Answer {
        let checked = match &to.destination {
            Destination::Function(to) => to.guard.check(),
            Destination::Handler(guard) => guard.check(),
            Destination::Upstream(guard) => guard.check(),
            Destination::Queue(to) => to.guard.check(),
        };
        checked.map(|()| None).map_err(Refusal::Call)
    }
}
