//! A request, as far as it matters after its service has it.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::request::Parts;
use http::{HeaderValue, Method, Uri, Version, header};

use super::client::Client;
use super::compress::Coding;
use super::origin::Origin;
use super::rate::{Exceeded, Standing};
use super::respond::Refusal;
use stoa_call::Tie;

/// What is kept of a request until its response is sent.
pub(super) struct Asked<'r> {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) version: Version,
    pub(super) origin: Origin,
    pub(super) client: &'r Arc<Client>,
    pub(super) began: Instant,
    /// The `Origin` of the page that sends it, where one does.
    pub(super) page: Option<HeaderValue>,
    /// How its client wants a response to be compressed.
    pub(super) coding: Option<Coding>,
    /// What is left of its caller's limit, once that is known.
    pub(super) standing: OnceLock<Standing>,
    /// To its client, if it came over a connection of its own.
    pub(super) tie: Option<Tie>,
}

impl<'r> Asked<'r> {
    pub(super) fn new(parts: &Parts, client: &'r Arc<Client>) -> Self {
        Self {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            version: parts.version,
            origin: Origin::of(&parts.headers),
            client,
            began: Instant::now(),
            page: parts.headers.get(header::ORIGIN).cloned(),
            coding: Coding::accepted(&parts.headers),
            standing: OnceLock::new(),
            tie: None,
        }
    }

    /// Keeps what a limit of rate said of the request.
    pub(super) fn admitted(
        &self,
        admitted: Result<Option<Standing>, Exceeded>,
    ) -> Result<(), Refusal> {
        let (standing, admitted) = match admitted {
            Ok(standing) => (standing, Ok(())),
            Err(Exceeded { standing, wait }) => {
                (Some(standing), Err(Refusal::TooManyRequests { wait }))
            }
        };
        if let Some(standing) = standing {
            let _ = self.standing.set(standing);
        }
        admitted
    }
}
