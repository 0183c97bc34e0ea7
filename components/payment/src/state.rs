//! Where a payment stands, as people read it, and which steps there are.

use stoa_sdk::{Error, conflict};

use crate::bindings::exports::shop::payment::payments::PaymentState as State;

/// The conflict of a step that the state machine does not have.
pub(crate) fn illegal(order: &str, from: State, to: State) -> Error {
    conflict!(
        "the payment of order {order} is {}: it can't become {}",
        name(from),
        name(to)
    )
}

pub(crate) fn name(state: State) -> &'static str {
    match state {
        State::RequiresAction => "REQUIRES_ACTION",
        State::Authorized => "AUTHORIZED",
        State::Captured => "CAPTURED",
        State::PartiallyRefunded => "PARTIALLY_REFUNDED",
        State::Refunded => "REFUNDED",
        State::Failed => "FAILED",
        State::Voided => "VOIDED",
    }
}

/// Whether the money was taken at some time.
pub(crate) fn was_captured(state: State) -> bool {
    matches!(
        state,
        State::Captured | State::PartiallyRefunded | State::Refunded
    )
}

/// Whether the payment can still be called off, or fail.
pub(crate) fn is_open(state: State) -> bool {
    matches!(state, State::RequiresAction | State::Authorized)
}
