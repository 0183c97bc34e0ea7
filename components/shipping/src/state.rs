//! Where a shipment stands, as people read it, and which steps there are.

use stoa_sdk::{Error, conflict};

use crate::bindings::exports::shop::shipping::carriers::ShipmentState as State;

/// The conflict of a step that the state machine does not have.
pub(crate) fn illegal(order: &str, from: State, to: State) -> Error {
    conflict!(
        "the shipment of order {order} is {}: it can't become {}",
        name(from),
        name(to)
    )
}

/// Whether a carrier's people may see one after the other.
pub(crate) fn is_scanned(from: State, to: State) -> bool {
    matches!(
        (from, to),
        (State::Labelled, State::InTransit)
            | (State::InTransit, State::Delivered | State::Returned)
    )
}

/// Whether the carrier does not have it yet.
pub(crate) fn is_here(state: State) -> bool {
    matches!(state, State::Pending | State::Labelled)
}

fn name(state: State) -> &'static str {
    match state {
        State::Pending => "PENDING",
        State::Labelled => "LABELLED",
        State::InTransit => "IN_TRANSIT",
        State::Delivered => "DELIVERED",
        State::Returned => "RETURNED",
        State::Cancelled => "CANCELLED",
    }
}
