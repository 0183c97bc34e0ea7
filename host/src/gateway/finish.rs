//! What every response gets last, whoever gave it: a service, a cache, a refusal.

use super::asked::Asked;
use super::endpoint::Endpoint;
use super::origin::REQUEST_ID;
use super::respond::Response;
use super::{Gateway, compress};
use crate::config::Compression;

impl Gateway {
    /// Finishes a response: the request's id, the caller's limit, other origins,
    /// security headers, and compression, which changes the body and so is last.
    pub(super) fn finish(
        &self,
        asked: &Asked<'_>,
        endpoint: Option<&Endpoint>,
        mut response: Response,
    ) -> Response {
        let headers = response.headers_mut();
        if let Some(id) = asked.origin.id_header() {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(standing) = asked.standing.get() {
            standing.write(headers);
        }
        if let Some(cors) = endpoint.and_then(|endpoint| endpoint.cors.as_ref()) {
            cors.finish(asked.page.as_ref(), headers);
        }
        self.security.finish(asked.client.over_tls(), headers);
        let compressed = endpoint.is_none_or(|endpoint| endpoint.route.compression.is_on());
        if self.settings.compression == Compression::On && compressed {
            compress::finish(response, asked.coding, &asked.method)
        } else {
            response
        }
    }
}
