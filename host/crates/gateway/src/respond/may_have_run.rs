//! Whether a request that was refused had begun to be served.

use super::Refusal;

impl Refusal {
    /// Whether the service may have done what it was asked, though it gave no answer.
    pub(crate) fn may_have_run(&self) -> bool {
        matches!(self, Self::Call(error) if error.may_have_run())
    }
}
