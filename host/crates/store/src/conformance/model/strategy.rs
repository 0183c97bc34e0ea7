//! Operations by chance.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Fate, Operation};
use crate::log::{Exhausted, Purge};

/// Some that begin with a subscriber, as a queue's life mostly does.
pub(crate) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let rest = vec(operation(), 1..120);
    rest.prop_map(|rest| [vec![Operation::Subscribe(0)], rest].concat())
}

fn operation() -> impl Strategy<Value = Operation> {
    // Three keys, so that messages meet.
    let keys = vec(
        prop_oneof![1 => Just(None), 4 => (0..3u8).prop_map(Some)],
        1..4,
    );
    let delay = prop_oneof![4 => Just(0), 1 => 1..20u8];
    let dedupe = prop_oneof![3 => Just(None), 1 => (0..3u8).prop_map(Some)];
    let append = (keys, delay, dedupe).prop_map(|(keys, delay, dedupe)| Operation::Append {
        keys,
        delay,
        dedupe,
    });
    let claim = (0..3u8, 0..5u8, 0..12u8).prop_map(|(subscriber, most, lease)| Operation::Claim {
        subscriber,
        most,
        lease,
    });
    let settle =
        (receipt(), fate()).prop_map(|(receipt, fate)| Operation::Settle { receipt, fate });
    prop_oneof![
        6 => append,
        8 => claim,
        12 => settle,
        4 => (0..8u8).prop_map(Operation::Pass),
        2 => Just(Operation::Look),
        1 => operator(),
        1 => (0..3u8).prop_map(Operation::Subscribe),
        1 => Just(Operation::Crash),
    ]
}

fn operator() -> impl Strategy<Value = Operation> {
    let what = prop_oneof![Just(Purge::Waiting), Just(Purge::Dead), Just(Purge::All),];
    let redrive = (0..3u8, prop::option::of(receipt()), 0..5u8);
    prop_oneof![
        3 => redrive.prop_map(|(subscriber, receipt, most)| Operation::Redrive {
            subscriber,
            receipt,
            most,
        }),
        2 => (0..3u8, what).prop_map(|(subscriber, what)| Operation::Purge { subscriber, what }),
        1 => (0..3u8).prop_map(Operation::Unsubscribe),
    ]
}

/// Mostly one of the last.
fn receipt() -> impl Strategy<Value = u8> {
    prop_oneof![4 => 0..4u8, 1 => 0..40u8]
}

fn fate() -> impl Strategy<Value = Fate> {
    let how = prop_oneof![Just(Exhausted::Dead), Just(Exhausted::PauseKey)];
    prop_oneof![
        4 => Just(Fate::Ack),
        3 => (0..10u8, any::<bool>()).prop_map(|(seconds, counts)| Fate::Nack(seconds, counts)),
        2 => how.prop_map(Fate::Bury),
        2 => (0..10u8).prop_map(Fate::Extend),
    ]
}
