//! The state machine on a paused clock, and its invariants under random use.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tokio::time::advance;

use super::*;

const FOREVER: Duration = Duration::from_secs(3600);

type Seen = Arc<Mutex<Vec<(State, State)>>>;

fn breaker(settings: settings::Breaker) -> (Breaker, Seen) {
    let seen = Seen::default();
    let told = seen.clone();
    let observer = move |t: &Transition| told.lock().unwrap().push((t.from, t.to));
    (Breaker::new(settings, Box::new(observer)), seen)
}

fn plain() -> Breaker {
    breaker(settings::Breaker::default()).0
}

fn admit(breaker: &Breaker) -> Result<Permit<'_>, Rejected> {
    breaker.admit(Instant::now() + Duration::from_secs(30), Instant::now())
}

fn outcomes(breaker: &Breaker, outcomes: impl IntoIterator<Item = Outcome>) {
    for outcome in outcomes {
        admit(breaker).unwrap().settle(outcome);
    }
}

fn failures(breaker: &Breaker, count: usize) {
    outcomes(breaker, std::iter::repeat_n(Outcome::Failure, count));
}

async fn until_probe(breaker: &Breaker) {
    advance(breaker.read().next_probe.unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn seven_failures_in_a_row_open_it() {
    // So that the rate alone does not.
    let settings = settings::Breaker {
        min_calls: 1000,
        ..settings::Breaker::default()
    };
    let (breaker, seen) = breaker(settings);
    failures(&breaker, 6);
    outcomes(&breaker, [Outcome::Success]);
    failures(&breaker, 6);
    outcomes(&breaker, [Outcome::Ignored]);
    assert_eq!(breaker.read().state, State::Closed);
    failures(&breaker, 1);
    let read = breaker.read();
    assert_eq!(read.state, State::Open);
    assert_eq!(read.reason, Reason::Consecutive { failures: 7 });
    let rejected = admit(&breaker).map(drop).unwrap_err();
    assert!((1.0..=1.5).contains(&rejected.retry_after.as_secs_f64()));
    assert_eq!(*seen.lock().unwrap(), [(State::Closed, State::Open)]);
}

#[tokio::test(start_paused = true)]
async fn a_low_success_rate_opens_it() {
    let breaker = plain();
    outcomes(&breaker, [Outcome::Failure, Outcome::Success].repeat(2));
    assert_eq!(
        breaker.read().state,
        State::Closed,
        "four calls say nothing"
    );
    failures(&breaker, 1);
    let reason = Reason::SuccessRate {
        failed: 3,
        calls: 5,
    };
    assert_eq!(breaker.read().reason, reason);
}

#[tokio::test(start_paused = true)]
async fn a_rate_of_exactly_the_bound_is_borne() {
    let breaker = plain();
    for _ in 0..20 {
        outcomes(&breaker, [Outcome::Success; 4]);
        failures(&breaker, 1);
    }
    assert_eq!(breaker.read().state, State::Closed);
}

#[tokio::test(start_paused = true)]
async fn failures_leave_with_their_window() {
    let breaker = plain();
    for _ in 0..50 {
        failures(&breaker, 1);
        outcomes(&breaker, [Outcome::Success]);
        advance(Duration::from_secs(6)).await;
    }
    assert_eq!(breaker.read().state, State::Closed);
    assert_eq!(breaker.read().failed, 1);
}

#[tokio::test(start_paused = true)]
async fn slow_calls_open_it_where_that_is_set() {
    let settings = settings::Breaker {
        slow_call: Duration::from_millis(100),
        ..settings::Breaker::default()
    };
    for (settings, state) in [
        (settings, State::Open),
        (settings::Breaker::default(), State::Closed),
    ] {
        let (breaker, _) = breaker(settings);
        for _ in 0..5 {
            let permit = admit(&breaker).unwrap();
            advance(Duration::from_millis(100)).await;
            permit.settle(Outcome::Success);
        }
        assert_eq!(breaker.read().state, state);
    }
}

#[tokio::test(start_paused = true)]
async fn one_probe_decides() {
    let (breaker, seen) = breaker(settings::Breaker::default());
    failures(&breaker, 5);
    until_probe(&breaker).await;
    let probe = admit(&breaker).unwrap();
    assert!(probe.is_probe());
    assert!(admit(&breaker).is_err(), "never two probes");
    assert_eq!(breaker.read().state, State::HalfOpen);
    probe.settle(Outcome::Success);
    assert_eq!(breaker.read().state, State::Ramp);
    advance(Duration::from_secs(5)).await;
    let _permit = admit(&breaker).unwrap();
    assert_eq!(breaker.read().state, State::Closed);
    let expected = [
        (State::Closed, State::Open),
        (State::Open, State::HalfOpen),
        (State::HalfOpen, State::Ramp),
        (State::Ramp, State::Closed),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn failed_probes_double_the_time_up_to_its_bound() {
    let breaker = plain();
    failures(&breaker, 5);
    for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        let time = breaker.read().next_probe.unwrap().as_secs_f64();
        let least = f64::from(expected);
        assert!((least..=least * 1.5).contains(&time), "{time} of {least}");
        until_probe(&breaker).await;
        failures(&breaker, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_probe_gives_its_place_back() {
    let breaker = plain();
    failures(&breaker, 5);
    until_probe(&breaker).await;
    for _ in 0..3 {
        drop(admit(&breaker).unwrap());
        assert_eq!(breaker.read().state, State::HalfOpen);
    }
    admit(&breaker).unwrap().settle(Outcome::Success);
    assert_eq!(breaker.read().state, State::Ramp);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_lost_is_given_up_after_its_deadline() {
    let breaker = plain();
    failures(&breaker, 5);
    until_probe(&breaker).await;
    let lost = admit(&breaker).unwrap();
    advance(Duration::from_secs(32)).await;
    let probe = admit(&breaker).unwrap();
    assert!(probe.is_probe());
    lost.settle(Outcome::Failure);
    assert_eq!(breaker.read().state, State::HalfOpen, "too late to decide");
    probe.settle(Outcome::Success);
    assert_eq!(breaker.read().state, State::Ramp);
}

#[tokio::test(start_paused = true)]
async fn the_ramp_admits_more_and_more() {
    fastrand::seed(7);
    let breaker = plain();
    failures(&breaker, 5);
    until_probe(&breaker).await;
    outcomes(&breaker, [Outcome::Success]);
    let mut before = 0;
    for _ in 0..4 {
        advance(Duration::from_secs(1)).await;
        let admitted = (0..1000).filter(|_| admit(&breaker).is_ok()).count();
        assert!(admitted > before + 100, "{admitted} after {before}");
        before = admitted;
    }
}

#[tokio::test(start_paused = true)]
async fn outcomes_of_an_earlier_time_count_no_more() {
    let breaker = plain();
    let early: Vec<_> = (0..20).map(|_| admit(&breaker).unwrap()).collect();
    failures(&breaker, 5);
    until_probe(&breaker).await;
    outcomes(&breaker, [Outcome::Success]);
    for permit in early {
        permit.settle(Outcome::Failure);
    }
    assert_eq!(breaker.read().state, State::Ramp);
}

#[tokio::test(start_paused = true)]
async fn an_operator_has_the_last_word() {
    let breaker = plain();
    breaker.force(Some(Forced::Closed));
    failures(&breaker, 100);
    assert_eq!(breaker.read().state, State::Closed);
    breaker.force(Some(Forced::Open));
    advance(FOREVER).await;
    assert!(admit(&breaker).is_err());
    breaker.force(None);
    assert_eq!(breaker.read().state, State::Closed);
    failures(&breaker, 5);
    assert_eq!(breaker.read().state, State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_disabled_one_counts_only() {
    let (breaker, _) = breaker(settings::Breaker {
        enabled: false,
        ..settings::Breaker::default()
    });
    failures(&breaker, 100);
    assert_eq!(breaker.read().state, State::Closed);
    assert_eq!(breaker.read().failed, 100);
}

#[derive(Debug, Clone)]
enum Use {
    Admit,
    Settle(usize, Outcome),
    Pass(Duration),
    Force(Option<Forced>),
}

fn any_use() -> impl Strategy<Value = Use> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Failure),
        2 => Just(Outcome::Success),
        1 => Just(Outcome::Ignored),
    ];
    let forced = prop_oneof![
        1 => Just(Some(Forced::Open)),
        1 => Just(Some(Forced::Closed)),
        3 => Just(None),
    ];
    prop_oneof![
        10 => Just(Use::Admit),
        10 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Use::Settle(which, outcome)),
        4 => (0..40_000_u64).prop_map(|ms| Use::Pass(Duration::from_millis(ms))),
        1 => forced.prop_map(Use::Force),
    ]
}

/// Whether a transition is one of the drawing's, or an operator's.
fn legal(from: State, to: State) -> bool {
    use State::{Closed, HalfOpen, Open, Ramp};
    matches!(
        (from, to),
        (Closed | Ramp | HalfOpen, Open)
            | (Open, HalfOpen)
            | (HalfOpen, Ramp)
            | (Ramp, Closed)
            | (Open | HalfOpen | Closed, Closed)
            // By an operator, who now holds it there.
            | (Open, Open)
    )
}

async fn check(uses: Vec<Use>) {
    let (breaker, seen) = breaker(settings::Breaker::default());
    let mut permits: Vec<(Permit<'_>, Instant)> = Vec::new();
    for step in uses {
        let transitions = seen.lock().unwrap().len();
        match step {
            Use::Admit => {
                let deadline = Instant::now() + Duration::from_secs(5);
                let by_lot = breaker.read().state == State::Ramp;
                let looked = breaker.admits(Instant::now());
                let admitted = breaker.admit(deadline, Instant::now());
                assert!(looked == admitted.is_ok() || by_lot && looked);
                permits.extend(admitted.ok().map(|it| (it, deadline)));
            }
            Use::Settle(which, outcome) if !permits.is_empty() => {
                let at = which % permits.len();
                permits.swap_remove(at).0.settle(outcome);
                let after = seen.lock().unwrap().len();
                assert!(
                    outcome != Outcome::Ignored || after == transitions,
                    "shedding and cancelling change no state"
                );
            }
            Use::Settle(..) => {}
            Use::Pass(time) => advance(time).await,
            Use::Force(forced) => breaker.force(forced),
        }
        let reading = breaker.read();
        let now = Instant::now();
        let probes = permits
            .iter()
            .filter(|(permit, deadline)| permit.is_probe() && now < *deadline);
        if reading.state == State::HalfOpen {
            assert!(probes.count() <= 1, "never two probes");
        }
    }
    for (from, to) in seen.lock().unwrap().iter() {
        assert!(legal(*from, *to), "{from:?} to {to:?}");
    }
    // Whatever happened, it comes back once the guarded side is well.
    drop(permits);
    breaker.force(None);
    for _ in 0..1000 {
        advance(Duration::from_secs(1)).await;
        if let Ok(permit) = admit(&breaker) {
            permit.settle(Outcome::Success);
        }
    }
    assert_eq!(breaker.read().state, State::Closed, "never stuck");
}

proptest! {
    #[test]
    fn invariants_hold_under_random_use(uses in proptest::collection::vec(any_use(), 1..200)) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(check(uses));
    }
}
