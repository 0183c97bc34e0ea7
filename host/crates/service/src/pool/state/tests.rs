//! Who gets room, and who has to wait.

use super::*;
use crate::pool::pressure::Pressure;
use stoa_settings::Priority;

/// Of a pool for two instances that lets one call be worked on.
fn state() -> State {
    let pressure = Pressure::new(Duration::MAX, Duration::MAX);
    State::new((0, 2), 1, Queue::new(8, pressure), Arc::default())
}

/// Has a call wait; it does as long as what is returned lives.
fn wait(state: &mut State, nested: bool) -> impl Sized + use<> {
    let (caller, turn) = oneshot::channel();
    let since = Instant::now();
    let waiter = Waiter {
        caller,
        priority: Priority::High,
        since,
        until: since + Duration::from_secs(60),
    };
    assert!(state.enqueue(waiter, nested).is_empty());
    turn
}

#[test]
fn who_comes_later_does_not_take_what_others_wait_for() {
    let mut state = state();
    let first = state.claim(false);
    assert!(first.is_some());
    let _waits = wait(&mut state, false);
    drop(first);
    state.give_back(None);
    assert!(state.claim(false).is_none());
    assert!(state.is_turn());
    assert!(state.claim(true).is_some(), "it is awaited");
}

#[test]
fn a_nested_call_has_its_turn_beyond_the_limit() {
    let mut state = state();
    let _outer = state.claim(false);
    assert!(state.claim(false).is_none());
    let inner = state.claim(true);
    assert!(inner.is_some());
    assert!(state.claim(true).is_none(), "the pool is full");
    let _usual = wait(&mut state, false);
    assert!(!state.is_turn());
    let _nested = wait(&mut state, true);
    assert!(state.is_turn());
    assert_eq!(state.queued(), 2);
    let next = state.next(&mut Vec::new()).unwrap();
    drop(next);
    assert!(state.nested.is_empty(), "it comes first");
}

#[test]
fn who_waits_for_the_host_is_in_nobodys_way() {
    let mut state = state();
    let _first = state.claim(false);
    assert!(!state.wait(), "nobody waits for its place");
    let _second = state.claim(false);
    assert!(state.claim(false).is_none());
    let _waits = wait(&mut state, false);
    assert!(state.wait());
    assert!(state.is_turn(), "but for an instance");
    state.resume();
    assert!(!state.is_turn());
}
