//! What an order costs, where it goes, and who sees it.

use super::*;
use stoa_sdk::Money;

fn euros(minor: i64) -> Money {
    Money {
        minor,
        currency: "EUR".into(),
    }
}

#[test]
fn a_sent_order_pays_for_its_way_and_shows_its_tax() {
    let fake = stocked(10);
    let shop = orders(&fake);
    let sent = |shipping: Option<&str>| {
        let input = NewOrder {
            address: Some(address()),
            shipping: shipping.map(Into::into),
            ..wants(&[("A", 2)])
        };
        shop.place(&input, &ann(), None, NOW).unwrap()
    };
    let order = sent(None);
    assert_eq!(order.shipping_service.as_deref(), Some("standard"));
    assert_eq!(
        (order.shipping, order.total.clone()),
        (Some(euros(490)), euros(3070))
    );
    // 25.80 * 19 / 119 = 4.119…, 4.90 * 19 / 119 = 0.782…
    assert_eq!(
        (order.tax, order.tax_included),
        (Some(euros(412 + 78)), Some(true))
    );
    assert_eq!(fake.0.lock().unwrap().money(), (0, 3070));
    assert_eq!(sent(Some("express")).total, euros(2580 + 1290));
    let abroad = NewOrder {
        currency: "CHF".into(),
        ..wants(&[("A", 1)])
    };
    let abroad = shop.place(&abroad, &ann(), None, NOW).unwrap();
    assert_eq!(abroad.region.as_deref(), Some("ch"));
    assert_eq!(
        (abroad.tax.unwrap().minor, abroad.total.minor),
        (81, 1081),
        "on top of it"
    );
}

#[test]
fn what_does_not_fit_names_its_place() {
    let fake = stocked(10);
    let shop = orders(&fake);
    let pointers = |input: NewOrder| match shop.place(&input, &ann(), None, NOW) {
        Err(Error::Invalid(found)) => found
            .into_iter()
            .map(|violation| violation.pointer)
            .collect::<Vec<_>>(),
        other => panic!("expected invalid, found {other:?}"),
    };
    let order = || wants(&[("A", 1)]);
    let to = |address| NewOrder {
        address: Some(address),
        ..order()
    };
    let somewhere = |country: &str, city: &str| Address {
        country: country.into(),
        city: city.into(),
        ..address()
    };
    let cases = [
        (to(somewhere("US", "Berlin")), "/address/country"),
        (to(somewhere("DE", "")), "/address/city"),
        (
            NewOrder {
                shipping: Some("drone".into()),
                ..to(address())
            },
            "/shipping",
        ),
        (
            NewOrder {
                shipping: Some("express".into()),
                ..order()
            },
            "/address",
        ),
        (
            NewOrder {
                region: Some("mars".into()),
                ..order()
            },
            "/region",
        ),
        (
            NewOrder {
                region: Some("ch".into()),
                ..order()
            },
            "/currency",
        ),
        (
            NewOrder {
                discount: Some("NONE".into()),
                ..order()
            },
            "/discount",
        ),
    ];
    for (input, pointer) in cases {
        assert_eq!(pointers(input), [pointer]);
    }
    assert_eq!(all(&shop, &named("eve", &[READ_ALL])), []);
}

#[test]
fn a_discount_is_used_by_orders_that_live() {
    let fake = stocked(10);
    let shop = orders(&fake);
    let place = |code: &str, quantity| {
        let input = NewOrder {
            discount: Some(code.into()),
            ..wants(&[("A", quantity)])
        };
        shop.place(&input, &ann(), None, NOW)
    };
    assert!(
        matches!(place("TEN", 11), Err(Error::Conflict(_))),
        "too little stock"
    );
    let order = place("TEN", 2).unwrap();
    assert_eq!(
        (order.discount, order.total),
        (Some(euros(258)), euros(2322))
    );
    let Err(Error::Conflict(text)) = place("TEN", 1) else {
        panic!("its only use is taken")
    };
    assert!(text.contains("TEN"), "{text}");
    shop.cancel(&order.id, &ann(), None, NOW).unwrap();
    let order = place("TEN", 1).unwrap();
    assert_eq!(fake.0.lock().unwrap().money(), (0, 1161));
    let free = place("FREE", 1).unwrap();
    assert_eq!((free.state, free.total), (State::Confirmed, euros(0)));
    shop.cancel(&free.id, &ann(), None, NOW).unwrap();
    let shelf = fake.0.lock().unwrap();
    assert!(
        !shelf.voided.contains(&free.id),
        "there is nothing to give back"
    );
    assert_eq!(shelf.authorized.len(), 1);
    assert_eq!(shelf.authorized[&order.id], 1161);
}

#[test]
fn staff_see_the_newest_first_and_what_they_ask_for() {
    let fake = stocked(3);
    let shop = orders(&fake);
    let staff = named("eve", &[READ_ALL]);
    let mut placed = Vec::new();
    for (n, who) in ["ann", "bob", "ann", "bob"].into_iter().enumerate() {
        let now = NOW + std::time::Duration::from_millis(n as u64);
        let order = shop.place(&wants(&[("A", 1)]), &named(who, &[]), None, now);
        placed.push(order.map(|order| order.id).unwrap_or_default());
    }
    assert_eq!(placed[3], "", "there was no stock for it");
    let ids = |filter: Filter| -> Vec<String> {
        let found = listed(&shop, &staff, &filter).into_iter();
        found.map(|order| order.id).collect()
    };
    let [first, second, third] = [&placed[0], &placed[1], &placed[2]].map(Clone::clone);
    assert_eq!(
        ids(Filter::default()),
        [third.clone(), second.clone(), first.clone()]
    );
    let of = |customer: &str| Filter {
        customer: Some(customer.into()),
        ..Filter::default()
    };
    assert_eq!(ids(of("ann")), [first, third.clone()]);
    assert_eq!(ids(of("eve")), [""; 0]);
    let of_region = |region: &str| Filter {
        region: Some(region.into()),
        ..Filter::default()
    };
    assert_eq!(
        (ids(of_region("eu")).len(), ids(of_region("ch")).len()),
        (3, 0)
    );
    shop.cancel(&second, &named("bob", &[]), None, NOW).unwrap();
    assert_eq!(ids(in_state(State::Confirmed)).len(), 2);
    assert_eq!(
        ids(in_state(State::Cancelled)).len(),
        2,
        "with the one that was refused"
    );
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let part = Part {
            limit: Some(1),
            cursor: cursor.as_deref(),
        };
        let page = shop.list(part, &Filter::default(), &staff, NOW).unwrap();
        seen.extend(page.items.into_iter().map(|order| order.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, [third, second, placed[0].clone()]);
}

/// An order that an older revision kept: it knew neither regions nor payments.
#[test]
fn what_an_older_revision_kept_is_read() {
    let kept = r#"{"id": "o", "customer": "ann", "state": "Confirmed", "lines": [{"sku": "A",
        "product_id": "p", "name": "Cup", "quantity": 2, "unit_price": {"minor": 5, "currency": "EUR"},
        "total": {"minor": 10, "currency": "EUR"}}], "total": {"minor": 10, "currency": "EUR"},
        "reason": null, "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z", "version": 2}"#;
    let entry: Entry = serde_json::from_str(kept).unwrap();
    assert_eq!(
        (entry.order.state, entry.order.tax.clone()),
        (State::Confirmed, None)
    );
    assert!(!entry.has_work() && !entry.refused);
}
