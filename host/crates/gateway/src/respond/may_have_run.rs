//! Whether a request that was refused had begun to be served.

use super::{Refusal, SendError};

impl Refusal {
    /// Whether the service may have done what it was asked, though it gave no answer.
    pub(crate) fn may_have_run(&self) -> bool {
        match self {
            Self::Call(error) => error.may_have_run(),
            Self::Upstream(error) => {
                matches!(
                    error,
                    SendError::Broken { .. } | SendError::Deadline(_) | SendError::Upload(_)
                )
            }
            _ => false,
        }
    }
}
