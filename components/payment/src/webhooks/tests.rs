use super::*;
use crate::bindings::exports::shop::payment::payments::{Payment, PaymentState as State};
use crate::payments::tests::world::{NOW, World, euros};
use crate::signature::sign;

const SECRET: &str = "whsec_test";
const SECONDS: i64 = NOW.millis() / 1000;

/// `data.amount` of a payment of 10 EUR.
const AMOUNT: &str = r#","amount":{"minor":1000,"currency":"EUR"}"#;

/// An event of order `o` that happened so many seconds after the first.
fn event(id: &str, kind: &str, created: i64, more: &str) -> String {
    let created = SECONDS + created;
    format!(
        r#"{{"id":"{id}","type":"payment.{kind}","created":{created},"data":{{"order_id":"o"{more}}}}}"#
    )
}

fn refund(id: &str, minor: i64) -> String {
    format!(r#","refund":{{"id":"{id}","amount":{{"minor":{minor},"currency":"EUR"}}}}"#)
}

fn send(world: &World, body: &str) -> Result<(), Error> {
    let signature = sign(body.as_bytes(), SECRET, SECONDS);
    let webhook = Webhook {
        body: body.as_bytes(),
        signature: &signature,
        came: NOW,
    };
    world.shop().received(webhook, SECRET, NOW)
}

fn authorize(world: &World, token: &str) -> Payment {
    let authorized = world.shop().authorize("o", &euros(1000), token, NOW);
    authorized.unwrap()
}

fn payment(world: &World) -> Payment {
    world.shop().get("o").unwrap()
}

#[test]
fn an_event_completes_what_a_customer_had_to_do() {
    let world = World::default();
    let waiting = authorize(&world, "tok_requires_action");
    let confirmed = event("evt_1", "authorized", 0, AMOUNT);
    send(&world, &confirmed).unwrap();
    let authorized = payment(&world);
    assert_eq!(authorized.state, State::Authorized);
    assert_eq!(authorized.version, waiting.version + 1);
    assert_eq!(authorized.action_url, None);
    // Twice, and once more under another name.
    send(&world, &confirmed).unwrap();
    send(&world, &event("evt_2", "authorized", 0, AMOUNT)).unwrap();
    assert_eq!(payment(&world), authorized);
    assert_eq!(world.told(), ["o"]);
    assert_eq!(authorize(&world, "tok_requires_action"), authorized);
    assert_eq!(
        world.shop().capture("o", NOW).unwrap().state,
        State::Captured
    );
    assert_eq!(world.account("o").captures, 1);
}

#[test]
fn who_does_not_know_the_secret_is_not_heard() {
    let world = World::default();
    let waiting = authorize(&world, "tok_requires_action");
    let body = event("evt_1", "authorized", 0, AMOUNT);
    let right = sign(body.as_bytes(), SECRET, SECONDS);
    let other = event("evt_1", "captured", 0, AMOUNT);
    for (body, signature, came) in [
        (&body, sign(body.as_bytes(), "guessed", SECONDS), NOW),
        (&body, sign(body.as_bytes(), SECRET, SECONDS - 301), NOW),
        (&body, String::new(), NOW),
        (&other, right.clone(), NOW),
    ] {
        let webhook = Webhook {
            body: body.as_bytes(),
            signature: &signature,
            came,
        };
        // Dropped: it would be as wrong the next time.
        world.shop().received(webhook, SECRET, NOW).unwrap();
    }
    assert_eq!(payment(&world), waiting);
    assert!(world.told().is_empty());
    // An event that came in time and waited for a day is as good.
    let a_day_later = Timestamp::from_millis(NOW.millis() + 86_400_000);
    let webhook = Webhook {
        body: body.as_bytes(),
        signature: &right,
        came: NOW,
    };
    let received = world.shop().received(webhook, SECRET, a_day_later);
    received.unwrap();
    assert_eq!(payment(&world).state, State::Authorized);
}

#[test]
fn an_event_may_come_before_the_answer() {
    let world = World::default();
    world.stops_who_waits();
    let slow = || world.shop().authorize("o", &euros(1000), "tok_slow", NOW);
    assert!(slow().is_err());
    send(&world, &event("evt_1", "authorized", 0, AMOUNT)).unwrap();
    let made = payment(&world);
    assert_eq!((made.state, made.version), (State::Authorized, 1));
    assert_eq!(world.told(), ["o"]);
    assert_eq!(slow().unwrap(), made);
    let other = world.shop().authorize("o", &euros(999), "tok_slow", NOW);
    assert!(matches!(other, Err(Error::Conflict(_))), "{other:?}");
}

#[test]
fn an_event_that_does_not_say_how_much_waits_for_its_payment() {
    let world = World::default();
    let captured = event("evt_1", "captured", 0, "");
    let early = send(&world, &captured);
    assert!(matches!(early, Err(Error::Unavailable(_))), "{early:?}");
    authorize(&world, "tok_ok");
    send(&world, &captured).unwrap();
    assert_eq!(payment(&world).state, State::Captured);
}

/// Whatever order they come in, and each of them twice.
#[test]
fn events_in_any_order_come_to_the_same_end() {
    let events = [
        event(
            "evt_1",
            "requires_action",
            0,
            &format!("{AMOUNT},\"action_url\":\"https://x\""),
        ),
        event("evt_2", "authorized", 1, AMOUNT),
        event("evt_3", "captured", 2, AMOUNT),
        event(
            "evt_4",
            "refunded",
            3,
            &format!("{AMOUNT}{}", refund("a", 400)),
        ),
        event(
            "evt_5",
            "refunded",
            4,
            &format!("{AMOUNT}{}", refund("b", 600)),
        ),
    ];
    let mut orders = 0;
    permute(&mut [0, 1, 2, 3, 4], 0, &mut |order| {
        let world = World::default();
        for at in order.iter().chain(order) {
            send(&world, &events[*at]).unwrap();
        }
        let end = payment(&world);
        assert_eq!(
            (end.state, end.refunds.len()),
            (State::Refunded, 2),
            "{order:?}"
        );
        let account = world.account("o");
        assert_eq!((account.captures, account.left()), (1, 0), "{order:?}");
        assert_eq!(world.told().len() as u64, end.version, "{order:?}");
        orders += 1;
    });
    assert_eq!(orders, 120);
}

fn permute(items: &mut [usize], from: usize, see: &mut impl FnMut(&[usize])) {
    if from == items.len() {
        return see(items);
    }
    for at in from..items.len() {
        items.swap(from, at);
        permute(items, from + 1, see);
        items.swap(from, at);
    }
}

#[test]
fn a_newer_failure_counts_and_an_older_one_does_not() {
    for (created, state) in [
        (4, State::Authorized),
        (5, State::Failed),
        (6, State::Failed),
    ] {
        let world = World::default();
        authorize(&world, "tok_requires_action");
        send(&world, &event("evt_1", "authorized", 5, "")).unwrap();
        let why = r#","reason":"stolen""#;
        send(&world, &event("evt_2", "failed", created, why)).unwrap();
        assert_eq!(payment(&world).state, state, "{created}");
        if state == State::Failed {
            assert_eq!(payment(&world).reason.as_deref(), Some("stolen"));
            // What ended does not begin again.
            send(&world, &event("evt_3", "authorized", 9, "")).unwrap();
            assert_eq!(payment(&world).state, state);
        }
    }
}

#[test]
fn what_can_not_be_is_dropped() {
    let world = World::default();
    authorize(&world, "tok_ok");
    world.shop().void("o", "called off", NOW).unwrap();
    let voided = payment(&world);
    let other = r#","amount":{"minor":1,"currency":"EUR"}"#;
    for (kind, more) in [
        ("captured", AMOUNT.to_owned()),
        ("authorized", AMOUNT.to_owned()),
        ("refunded", refund("a", 1)),
        ("failed", String::new()),
    ] {
        send(&world, &event("evt_1", kind, 0, &more)).unwrap();
    }
    assert_eq!(payment(&world), voided);
    assert_eq!(world.account("o").captures, 0);

    let world = World::default();
    let authorized = authorize(&world, "tok_ok");
    send(&world, &event("evt_1", "captured", 0, other)).unwrap();
    send(&world, &event("evt_2", "refunded", 0, &refund("a", 1001))).unwrap();
    send(&world, "{").unwrap();
    send(&world, &event("evt_3", "disputed", 0, "")).unwrap();
    assert_eq!(payment(&world), authorized);
    assert!(world.told().is_empty());
}

/// It is told together with what it tells of, and again if that was not kept.
#[test]
fn an_event_that_a_crash_cut_off_comes_again() {
    let body = event("evt_1", "captured", 0, AMOUNT);
    for writes in 0..3 {
        let world = World::default();
        authorize(&world, "tok_ok");
        world.dies_after(Some(writes));
        let cut_off = send(&world, &body).is_err();
        assert_eq!(cut_off, writes < 2, "{writes}");
        world.dies_after(None);
        send(&world, &body).unwrap();
        assert_eq!(payment(&world).state, State::Captured);
        assert_eq!(world.account("o").captures, 1);
        assert!(!world.told().is_empty());
    }
}
