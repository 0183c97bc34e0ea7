//! The last token of a connection: nearly every client shows the same one with each of
//! its requests, and to compare it costs less than to hash it.
//!
//! It is kept for as long as the connection is, whose buffers have it, too.

use std::sync::{Arc, Mutex, PoisonError};

use super::cache::Verified;

/// What the last token was, and what was found of it.
#[derive(Default)]
pub(crate) struct LastToken(Mutex<Option<Known>>);

struct Known {
    token: Box<str>,
    verified: Arc<Verified>,
}

impl LastToken {
    /// What is known of a token, if it is the last one.
    pub(super) fn get(&self, token: &str) -> Option<Arc<Verified>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_ref().filter(|known| *known.token == *token)?;
        Some(known.verified.clone())
    }

    pub(super) fn keep(&self, token: &str, verified: &Arc<Verified>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(Known {
            token: token.into(),
            verified: verified.clone(),
        });
    }
}
