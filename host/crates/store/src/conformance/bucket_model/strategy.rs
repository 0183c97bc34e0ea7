//! Operations by chance.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{At, Guess, Operation};

/// Some, with a few keys, so that they meet.
pub(crate) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(), 1..80)
}

fn operation() -> impl Strategy<Value = Operation> {
    let delta = prop_oneof![6 => -5..5i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    prop_oneof![
        4 => place().prop_map(Operation::Get),
        4 => (place(), value()).prop_map(|(at, new)| Operation::Set(at, new)),
        2 => place().prop_map(Operation::Delete),
        4 => (place(), delta).prop_map(|(at, delta)| Operation::Increment(at, delta)),
        4 => (place(), guess(), value()).prop_map(|(at, old, new)| Operation::Swap(at, old, new)),
        6 => commit(),
        4 => many(),
        2 => (0..4u8, 0..4u8).prop_map(|(bucket, limit)| Operation::List(bucket, limit)),
        1 => (0..4u8).prop_map(Operation::Purge),
        1 => Just(Operation::Crash),
    ]
}

fn commit() -> impl Strategy<Value = Operation> {
    let parts = (place(), guess(), value(), vec(0..3u8, 0..4), 0..12u8);
    parts.prop_map(|(at, guess, new, queues, limit)| Operation::Commit {
        at,
        guess,
        new,
        queues,
        limit,
    })
}

fn many() -> impl Strategy<Value = Operation> {
    let keys = || (0..4u8, vec(0..5u8, 0..5));
    let pairs = (0..4u8, vec((0..5u8, value()), 0..5));
    let room = prop_oneof![1 => 0..30usize, 1 => Just(1 << 20)];
    prop_oneof![
        2 => pairs.prop_map(|(bucket, pairs)| Operation::SetMany(bucket, pairs)),
        1 => keys().prop_map(|(bucket, keys)| Operation::DeleteMany(bucket, keys)),
        2 => (keys(), room)
            .prop_map(|((bucket, keys), room)| Operation::GetMany(bucket, keys, room)),
    ]
}

fn place() -> impl Strategy<Value = At> {
    (0..4u8, 0..5u8).prop_map(|(bucket, key)| At(bucket, key))
}

fn guess() -> impl Strategy<Value = Guess> {
    prop_oneof![
        4 => Just(Guess::Right),
        1 => Just(Guess::Nothing),
        1 => value().prop_map(Guess::Some),
    ]
}

fn value() -> impl Strategy<Value = u8> {
    0..8u8
}
