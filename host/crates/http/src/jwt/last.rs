//! The last token of a connection: nearly every client shows the same one with each of
//! its requests, and to compare it costs less than to hash it.
//!
//! It is kept for as long as the connection is, whose buffers have it, too. `V` is what
//! was found of a token.

use std::sync::{Arc, Mutex, PoisonError};

/// What the last token was, and what was found of it.
pub struct LastToken<V>(Mutex<Option<Known<V>>>);

struct Known<V> {
    token: Box<str>,
    verified: Arc<V>,
}

impl<V> Default for LastToken<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V> LastToken<V> {
    /// What is known of a token, if it is the last one.
    pub fn get(&self, token: &str) -> Option<Arc<V>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_ref().filter(|known| *known.token == *token)?;
        Some(known.verified.clone())
    }

    /// Keeps what was found of a token, in the place of the one before.
    pub fn keep(&self, token: &str, verified: &Arc<V>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(Known {
            token: token.into(),
            verified: verified.clone(),
        });
    }
}
