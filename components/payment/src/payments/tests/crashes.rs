//! Calls at the same time, and a host that dies in the middle of one.

use std::collections::BTreeMap;

use super::*;

type Step = fn(&World) -> Result<Payment, Error>;

const AUTHORIZE: Step = |world| world.shop().authorize("o", &euros(1000), "tok_ok", NOW);
const CAPTURE: Step = |world| world.shop().capture("o", NOW);
const VOID: Step = |world| world.shop().void("o", "why", NOW);
const REFUND: Step = |world| world.shop().refund("o", "r", &euros(400), NOW);

/// The payment says what the provider's ledger says.
fn assert_agrees(world: &World) {
    let (payment, account) = (world.shop().get("o").unwrap(), world.account("o"));
    assert_eq!(u32::from(was_captured(payment.state)), account.captures);
    let given = payment.refunds.iter();
    let refunds: BTreeMap<_, _> = given
        .map(|refund| (refund.id.clone(), refund.amount.clone()))
        .collect();
    assert_eq!(refunds, account.refunds);
    let taken = match account.captures {
        0 => 0,
        _ => payment.amount.minor,
    };
    assert_eq!(taken - payment.refunded.minor, account.left());
}

#[test]
fn a_step_that_a_crash_cut_off_is_done_by_who_asks_again() {
    for (before, step, state) in [
        (&[][..], AUTHORIZE, State::Authorized),
        (&[AUTHORIZE], CAPTURE, State::Captured),
        (&[AUTHORIZE], VOID, State::Voided),
        (&[], VOID, State::Voided),
        (&[AUTHORIZE, CAPTURE], REFUND, State::PartiallyRefunded),
    ] {
        let mut writes = 0;
        loop {
            let world = World::default();
            for step in before {
                step(&world).unwrap();
            }
            world.dies_after(Some(writes));
            let cut_off = step(&world).is_err();
            world.dies_after(None);
            assert_eq!(step(&world).unwrap().state, state, "after {writes} writes");
            assert_agrees(&world);
            if !cut_off {
                break;
            }
            writes += 1;
        }
        assert_eq!(writes, 2, "the provider's write, and ours");
    }
}

#[test]
fn money_is_taken_once_however_many_ask_at_once() {
    for _ in 0..50 {
        let world = World::default();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| AUTHORIZE(&world).unwrap());
            }
        });
        assert_eq!(world.shop().get("o").unwrap().version, 1);
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| CAPTURE(&world).unwrap());
            }
        });
        assert_eq!(world.shop().get("o").unwrap().version, 2);
        assert_agrees(&world);
    }
}

#[test]
fn of_capture_and_void_at_once_one_is_refused() {
    for _ in 0..200 {
        let world = World::default();
        AUTHORIZE(&world).unwrap();
        let (captured, voided) = std::thread::scope(|threads| {
            let capture = threads.spawn(|| CAPTURE(&world));
            let void = threads.spawn(|| VOID(&world));
            (capture.join().unwrap(), void.join().unwrap())
        });
        assert!(
            captured.is_ok() != voided.is_ok(),
            "{captured:?} {voided:?}"
        );
        assert_agrees(&world);
    }
}

#[test]
fn of_authorize_and_void_at_once_no_money_stays_set_aside() {
    for _ in 0..200 {
        let world = World::default();
        std::thread::scope(|threads| {
            threads.spawn(|| AUTHORIZE(&world).map(drop));
            threads.spawn(|| VOID(&world).unwrap());
        });
        assert_eq!(world.shop().get("o").unwrap().state, State::Voided);
        conflict_of(AUTHORIZE(&world));
        // Nothing is there to be taken.
        conflict_of(CAPTURE(&world));
        assert_agrees(&world);
    }
}

#[test]
fn refunds_at_once_never_give_back_more_than_was_taken() {
    for _ in 0..50 {
        let world = World::default();
        captured(&world);
        let given: usize = std::thread::scope(|threads| {
            let refund = |id: usize| {
                let world = &world;
                move || {
                    let refund = world.shop().refund("o", &id.to_string(), &euros(300), NOW);
                    usize::from(refund.is_ok())
                }
            };
            let all: Vec<_> = (0..8).map(|id| threads.spawn(refund(id))).collect();
            all.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!(given, 3, "three times 3 EUR of 10 EUR");
        assert_agrees(&world);
    }
}
