//! Problems as the gateway answers with them: with their request's trace, in its own body.

pub(super) use stoa_http::problem::Problem;

use super::{GatewayBody, Response};
use crate::origin::Origin;

/// A problem of a request that is known.
pub(super) trait Traced {
    /// The response to a request of this origin.
    fn response(self, origin: &Origin) -> Response;
}

impl Traced for Problem<'_> {
    fn response(self, origin: &Origin) -> Response {
        let response = self.into_response(&origin.trace_id());
        response.map(GatewayBody::whole)
    }
}
