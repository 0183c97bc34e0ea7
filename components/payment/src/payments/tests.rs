mod crashes;
pub(crate) mod world;

use super::*;
use crate::sandbox::flaky_tries;
use world::{NOW, World, euros};

fn conflict_of(result: Result<Payment, Error>) -> String {
    match result {
        Err(Error::Conflict(text)) => text,
        other => panic!("expected a conflict, found {other:?}"),
    }
}

/// A payment of 10 EUR that was captured.
fn captured(world: &World) -> Payment {
    let shop = world.shop();
    shop.authorize("o", &euros(1000), "tok_ok", NOW).unwrap();
    shop.capture("o", NOW).unwrap()
}

#[test]
fn money_is_set_aside_taken_and_given_back() {
    let world = World::default();
    let shop = world.shop();
    let authorize = || shop.authorize("o", &euros(1000), "tok_ok", NOW).unwrap();
    let authorized = authorize();
    assert_eq!(
        (authorized.state, authorized.version),
        (State::Authorized, 1)
    );
    assert_eq!(authorize(), authorized);
    let captured = shop.capture("o", NOW).unwrap();
    assert_eq!((captured.state, captured.version), (State::Captured, 2));
    assert_eq!(shop.capture("o", NOW).unwrap(), captured);
    assert_eq!(authorize(), captured);
    let part = shop.refund("o", "a", &euros(400), NOW).unwrap();
    assert_eq!(
        (part.state, &part.refunded),
        (State::PartiallyRefunded, &euros(400))
    );
    let all = shop.refund("o", "b", &euros(600), NOW).unwrap();
    assert_eq!(
        (all.state, &all.refunded, all.version),
        (State::Refunded, &euros(1000), 4)
    );
    assert_eq!(shop.refund("o", "a", &euros(400), NOW).unwrap(), all);
    assert_eq!(shop.get("o").unwrap(), all);
    let ids: Vec<_> = all
        .refunds
        .iter()
        .map(|refund| refund.id.as_str())
        .collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(world.account("o").left(), 0);
    assert!(world.told().is_empty(), "its caller knows");
}

#[test]
fn a_declined_payment_is_an_answer() {
    let world = World::default();
    let shop = world.shop();
    let authorize = |token| shop.authorize("o", &euros(1000), token, NOW).unwrap();
    let failed = authorize("tok_declined");
    assert_eq!(failed.state, State::Failed);
    assert_eq!(failed.reason.as_deref(), Some("the card was declined"));
    assert_eq!(authorize("tok_declined"), failed);
    assert_eq!(authorize("tok_ok"), failed, "the first answer counts");
    assert_eq!(shop.void("o", "why", NOW).unwrap(), failed);
}

#[test]
fn a_flaky_provider_answers_after_as_many_tries_as_it_says() {
    let world = World::default();
    let shop = world.shop();
    for (order, tries) in [("c", 1), ("a", 2), ("b", 3)] {
        assert_eq!(flaky_tries(order), tries);
        let authorize = || shop.authorize(order, &euros(5), "tok_flaky", NOW);
        for _ in 0..tries {
            assert!(matches!(authorize(), Err(Error::Unavailable(_))));
            assert!(matches!(shop.get(order), Err(Error::NotFound(_))));
        }
        assert_eq!(authorize().unwrap().state, State::Authorized);
    }
}

#[test]
fn a_slow_answer_is_there_for_who_asks_again() {
    let world = World::default();
    let authorize = || world.shop().authorize("o", &euros(5), "tok_slow", NOW);
    // The host stops the call while it waits.
    world.stops_who_waits();
    assert!(authorize().is_err());
    assert!(matches!(world.shop().get("o"), Err(Error::NotFound(_))));
    assert_eq!(world.account("o").captures, 0);
    assert_eq!(authorize().unwrap().state, State::Authorized);
    assert_eq!(world.pauses(), 1);
}

#[test]
fn a_customer_may_have_to_act() {
    let world = World::default();
    let shop = world.shop();
    let authorize = || shop.authorize("o", &euros(5), "tok_requires_action", NOW);
    let waiting = authorize().unwrap();
    assert_eq!((waiting.state, waiting.version), (State::RequiresAction, 1));
    let url = waiting.action_url.as_deref();
    assert_eq!(url, Some("https://pay.sandbox.example/orders/o"));
    assert_eq!(authorize().unwrap(), waiting);
    let voided = shop.void("o", "too late", NOW).unwrap();
    assert_eq!((voided.state, voided.action_url), (State::Voided, None));
    assert_eq!(voided.reason.as_deref(), Some("too late"));
}

#[test]
fn what_was_voided_before_it_was_known_is_refused() {
    let world = World::default();
    let shop = world.shop();
    let voided = shop.void("o", "called off", NOW).unwrap();
    assert_eq!((voided.state, voided.amount.minor), (State::Voided, 0));
    assert_eq!(shop.void("o", "again", NOW).unwrap(), voided);
    let text = conflict_of(shop.authorize("o", &euros(5), "tok_ok", NOW));
    assert!(
        text.contains("is VOIDED: it can't become AUTHORIZED"),
        "{text}"
    );
    assert_eq!(world.account("o").captures, 0);
}

#[test]
fn an_illegal_step_names_both_states() {
    let step = |token: &str, before: &[&str], step: &str| {
        let world = World::default();
        let shop = world.shop();
        let take = |step: &str| match step {
            "capture" => shop.capture("o", NOW),
            "void" => shop.void("o", "why", NOW),
            "part" => shop.refund("o", "p", &euros(1), NOW),
            "all" => shop.refund("o", "a", &euros(1000), NOW),
            other => panic!("no step {other}"),
        };
        shop.authorize("o", &euros(1000), token, NOW).unwrap();
        for step in before {
            take(step).unwrap();
        }
        let before = shop.get("o").unwrap();
        let text = conflict_of(take(step));
        assert_eq!(shop.get("o").unwrap(), before);
        text
    };
    let action = "tok_requires_action";
    for (token, before, taken, from, to) in [
        (action, &[][..], "capture", "REQUIRES_ACTION", "CAPTURED"),
        (action, &[], "all", "REQUIRES_ACTION", "REFUNDED"),
        ("tok_declined", &[], "capture", "FAILED", "CAPTURED"),
        ("tok_declined", &[], "part", "FAILED", "PARTIALLY_REFUNDED"),
        ("tok_ok", &[], "part", "AUTHORIZED", "PARTIALLY_REFUNDED"),
        ("tok_ok", &["void"], "capture", "VOIDED", "CAPTURED"),
        ("tok_ok", &["void"], "all", "VOIDED", "REFUNDED"),
        ("tok_ok", &["capture"], "void", "CAPTURED", "VOIDED"),
        (
            "tok_ok",
            &["capture", "part"],
            "void",
            "PARTIALLY_REFUNDED",
            "VOIDED",
        ),
        ("tok_ok", &["capture", "all"], "void", "REFUNDED", "VOIDED"),
        (
            "tok_ok",
            &["capture", "all"],
            "part",
            "REFUNDED",
            "PARTIALLY_REFUNDED",
        ),
    ] {
        let text = step(token, before, taken);
        let told = format!("is {from}: it can't become {to}");
        assert!(text.contains(&told), "expected {told:?} in {text:?}");
    }
}

#[test]
fn nothing_is_known_of_other_orders() {
    let world = World::default();
    let shop = world.shop();
    for asked in [
        shop.get("o"),
        shop.capture("o", NOW),
        shop.refund("o", "r", &euros(1), NOW),
    ] {
        assert!(matches!(asked, Err(Error::NotFound(_))), "{asked:?}");
    }
}

#[test]
fn an_order_has_one_amount() {
    let world = World::default();
    let shop = world.shop();
    shop.authorize("o", &euros(1000), "tok_ok", NOW).unwrap();
    let text = conflict_of(shop.authorize("o", &euros(1001), "tok_ok", NOW));
    assert!(
        text.contains("10.00 EUR") && text.contains("10.01 EUR"),
        "{text}"
    );
    let dollars = Money::new(1000, "USD").unwrap();
    conflict_of(shop.authorize("o", &dollars, "tok_ok", NOW));
}

#[test]
fn no_more_is_given_back_than_was_taken() {
    let world = World::default();
    captured(&world);
    let shop = world.shop();
    let refund = |id: &str, minor| shop.refund("o", id, &euros(minor), NOW);
    refund("a", 601).unwrap();
    let text = conflict_of(refund("b", 400));
    assert!(text.contains("6.01 EUR of 10.00 EUR"), "{text}");
    conflict_of(refund("c", i64::MAX - 600));
    let text = conflict_of(refund("a", 399));
    assert!(text.contains("gave back 6.01 EUR"), "{text}");
    assert_eq!(refund("d", 398).unwrap().state, State::PartiallyRefunded);
    // The last one.
    assert_eq!(refund("e", 1).unwrap().state, State::Refunded);
    assert_eq!(world.account("o").left(), 0);
    conflict_of(refund("f", 1));
    let dollars = Money::new(1, "USD").unwrap();
    let other = world.shop().refund("o", "g", &dollars, NOW);
    assert!(matches!(other, Err(Error::Conflict(_))), "{other:?}");
}

/// 9.99 EUR in three lines of 3.33 EUR, and 5 pieces by 2 and 3.
#[test]
fn lines_that_are_given_back_one_by_one_end_at_nothing() {
    for parts in [&[333, 333, 333][..], &[2, 3]] {
        let world = World::default();
        let shop = world.shop();
        let total = euros(parts.iter().sum());
        shop.authorize("o", &total, "tok_ok", NOW).unwrap();
        shop.capture("o", NOW).unwrap();
        for (at, part) in parts.iter().enumerate() {
            let id = at.to_string();
            shop.refund("o", &id, &euros(*part), NOW).unwrap();
        }
        let payment = shop.get("o").unwrap();
        assert_eq!((payment.state, payment.refunded), (State::Refunded, total));
        assert_eq!(world.account("o").left(), 0);
    }
}

#[test]
fn bad_input_is_refused_before_the_provider_is_asked() {
    let world = World::default();
    let shop = world.shop();
    let pointers = |result: Result<Payment, Error>| match result {
        Err(Error::Invalid(found)) => found
            .into_iter()
            .map(|violation| violation.pointer)
            .collect::<Vec<_>>(),
        other => panic!("expected invalid, found {other:?}"),
    };
    let owed = Money {
        minor: -1,
        currency: "eur".into(),
    };
    assert_eq!(
        pointers(shop.authorize("", &owed, "tok_ok", NOW)),
        ["/order_id", "/amount/minor", "/amount/currency"]
    );
    assert_eq!(
        pointers(shop.authorize("o", &euros(1), "tok_visa", NOW)),
        ["/token"]
    );
    assert_eq!(pointers(shop.void("", "why", NOW)), ["/order_id"]);
    captured(&world);
    assert_eq!(
        pointers(shop.refund("o", "", &euros(0), NOW)),
        ["/refund_id", "/amount/minor"]
    );
    let dollars = Money::new(1, "USD").unwrap();
    assert_eq!(pointers(shop.refund("o", "r", &dollars, NOW)), ["/amount"]);
    assert_eq!(world.account("o").refunds.len(), 0);
    let long = "x".repeat(10_000);
    let voided = shop.void("v", &long, NOW).unwrap();
    assert_eq!(voided.reason.map(|reason| reason.len()), Some(500));
}
