use std::cell::RefCell;
use std::collections::BTreeMap;

use stoa_sdk::{Money, conflict};

use super::*;
use crate::Headers;
use crate::bindings::shop::catalog::catalog::{CategoryCount, Facets, Item, ItemPage, ItemVariant};
use crate::bindings::shop::order::orders::{NewOrder, Order, OrderLine, OrderState};

const GUEST: &str = "guest=00112233445566778899aabbccddeeff";
const OTHER: &str = "guest=ffeeddccbbaa99887766554433221100";
/// A name as nobody should have to escape it.
const NAME: &str = "<b onclick=\"x\">Cup & 'pot'</b>";
const ESCAPED: &str = "&lt;b onclick=&quot;x&quot;&gt;Cup &amp; 'pot'&lt;/b&gt;";

/// A shop with one product, and the orders that were placed.
#[derive(Default)]
struct Fake {
    /// By customer and key.
    orders: RefCell<BTreeMap<(String, String), Order>>,
    /// What was asked for last.
    filter: RefCell<Filter>,
}

fn euros(minor: i64) -> Money {
    Money::new(minor, "EUR").unwrap()
}

fn cup() -> Item {
    Item {
        id: "p1".into(),
        name: NAME.into(),
        description: Some(NAME.into()),
        language: Some("en".into()),
        category: Some("kit & chen".into()),
        variants: vec![ItemVariant {
            sku: "CUP".into(),
            title: None,
            price: euros(950),
            available: 3,
        }],
        price: euros(950),
        in_stock: true,
        product_version: 1,
    }
}

impl World for &Fake {
    fn region(&self, code: &str) -> Result<RegionInfo, Error> {
        Ok(RegionInfo {
            code: code.into(),
            currency: "EUR".into(),
            countries: vec!["DE".into(), "XX".into()],
            languages: vec!["en".into()],
            tax_inclusive: true,
        })
    }

    fn items(&self, _: &str, filter: &Filter) -> Result<ItemPage, Error> {
        self.filter.replace(filter.clone());
        let category = CategoryCount {
            category: "kit & chen".into(),
            count: 1,
        };
        Ok(ItemPage {
            items: vec![cup()],
            facets: Some(Facets {
                total: 1,
                categories: vec![category],
                prices: Vec::new(),
                in_stock: 1,
            }),
            next: Some("a&b".into()),
        })
    }

    fn item(&self, _: &str, id: &str, _: Option<&str>) -> Result<Item, Error> {
        match id {
            "p1" => Ok(cup()),
            _ => Err(not_found!("no {id}")),
        }
    }

    fn quotes(&self, country: &str, _: &str, units: u32) -> Result<Vec<ShippingQuote>, Error> {
        if country != "DE" {
            return Err(stoa_sdk::invalid!("/country", "nobody goes there"));
        }
        Ok(vec![ShippingQuote {
            service: "express".into(),
            price: euros(100 * i64::from(units)),
            days: 1,
        }])
    }

    fn place(&self, guest: &str, order: &NewOrder, key: &str) -> Result<Order, Error> {
        if order.payment.as_deref() == Some("tok_declined") {
            return Err(conflict!("the payment was declined"));
        }
        let mut orders = self.orders.borrow_mut();
        let id = format!("o{}", orders.len() + 1);
        let placed = orders.entry((guest.into(), key.into()));
        Ok(placed
            .or_insert_with(|| placed_order(id, guest, order))
            .clone())
    }

    fn order(&self, guest: &str, id: &str) -> Result<Order, Error> {
        let orders = self.orders.borrow();
        let found = orders
            .iter()
            .find(|((whose, _), order)| whose == guest && order.id == id);
        found
            .map(|(_, order)| order.clone())
            .ok_or_else(|| not_found!("no {id}"))
    }
}

fn placed_order(id: String, guest: &str, order: &NewOrder) -> Order {
    let line = OrderLine {
        sku: order.lines[0].sku.clone(),
        product_id: "p1".into(),
        name: NAME.into(),
        quantity: order.lines[0].quantity,
        unit_price: euros(950),
        total: euros(1900),
        discount: None,
        tax: None,
        returned: None,
    };
    Order {
        id,
        customer: Some(guest.into()),
        state: OrderState::Reserved,
        region: order.region.clone(),
        lines: vec![line],
        discount_code: None,
        discount: Some(euros(190)),
        shipping: Some(euros(200)),
        shipping_service: order.shipping.clone(),
        address: order.address.clone(),
        tax: None,
        tax_included: Some(true),
        total: euros(1910),
        refunded: None,
        action_url: Some("javascript:alert(1)".into()),
        tracking: Some("TRACK-1".into()),
        reason: None,
        created_at: String::new(),
        updated_at: String::new(),
        version: 1,
    }
}

fn ask(fake: &Fake, request: &Request) -> Reply {
    Storefront::new(fake, vec!["eu".into(), "us".into()]).answer(request)
}

fn get(fake: &Fake, target: &str, cookie: &str) -> Reply {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Headers::default();
    headers.add("Cookie", cookie.into());
    ask(
        fake,
        &Request {
            method: "GET".into(),
            path: path.into(),
            query: query.into(),
            headers,
            ..Request::default()
        },
    )
}

fn post(fake: &Fake, path: &str, cookie: &str, body: &str) -> Reply {
    let mut headers = Headers::default();
    headers.add("Cookie", cookie.into());
    headers.add("Sec-Fetch-Site", "same-origin".into());
    ask(
        fake,
        &Request {
            method: "POST".into(),
            path: path.into(),
            headers,
            body: body.into(),
            ..Request::default()
        },
    )
}

fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
    let found = reply.headers.iter().find(|(found, _)| *found == name);
    found.map_or("", |(_, value)| value)
}

/// A form for two cups.
fn form(key: &str, payment: &str) -> String {
    format!(
        "basket=p1*CUP*2&key={key}&name=Ann+%3Ci%3E&street=Main+1&city=Berlin&postal_code=10115\
         &delivery=DE+express&payment={payment}"
    )
}

#[test]
fn what_others_wrote_is_escaped_on_all_pages() {
    let fake = Fake::default();
    assert_eq!(
        post(&fake, "/shop/eu/checkout", GUEST, &form("k", "tok_ok")).status,
        303
    );
    let basket = format!("{GUEST}; basket=p1*CUP*2");
    for path in [
        "/",
        "/shop/eu",
        "/shop/eu/products/p1",
        "/shop/eu/basket",
        "/shop/eu/checkout",
        "/shop/eu/orders/o1",
    ] {
        let page = get(&fake, path, &basket);
        assert_eq!(page.status, 200, "{path}");
        assert!(page.body.contains(ESCAPED), "{path}: {}", page.body);
        assert!(!page.body.contains("<b "), "{path}: {}", page.body);
        assert!(
            !page.body.contains("<i>") && !page.body.contains("<script"),
            "{path}"
        );
        assert!(!page.body.contains("javascript:"), "{path}");
    }
    let found = get(&fake, "/shop/eu?q=%3Cscript%3E%22", "");
    assert!(!found.body.contains("<script"), "{}", found.body);
}

#[test]
fn a_list_asks_for_what_its_links_say() {
    let fake = Fake::default();
    let target = "/shop/us?category=kit+%26+chen&sort=price-desc&in_stock=true&cursor=x";
    let page = get(&fake, target, "");
    let expected = Filter {
        category: Some("kit & chen".into()),
        sort: Some(Sort::PriceDesc),
        in_stock: true,
        cursor: Some("x".into()),
        ..Filter::default()
    };
    assert_eq!(fake.filter.take(), expected);
    let next =
        "/shop/us?category=kit+%26+chen&amp;sort=price-desc&amp;in_stock=true&amp;cursor=a%26b";
    assert!(page.body.contains(next), "{}", page.body);
    assert_eq!(header(&page, "cache-control"), "public, max-age=5");
    assert_eq!(header(&page, "set-cookie"), "", "it is everyone's");
    assert_eq!(get(&fake, "/shop/mars", "").status, 404);
    assert_eq!(get(&fake, "/shop/eu/nothing", "").status, 404);
    assert!(get(&fake, "/shop/style.css", "").body.contains("main"));
}

#[test]
fn a_basket_is_kept_by_the_browser() {
    let fake = Fake::default();
    let put = post(
        &fake,
        "/shop/eu/basket",
        "",
        "product=p1&sku=CUP&quantity=2",
    );
    assert_eq!(
        (put.status, header(&put, "location")),
        (303, "/shop/eu/basket")
    );
    let cookie = header(&put, "set-cookie");
    assert!(
        cookie.starts_with("basket=p1*CUP*2; Path=/shop/eu; "),
        "{cookie}"
    );
    assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    let page = get(&fake, "/shop/eu/basket", "basket=p1*CUP*2!gone*POT*1");
    assert!(page.body.contains("19.00 EUR"), "{}", page.body);
    assert!(
        page.body.contains("POT is not sold any more"),
        "{}",
        page.body
    );
    assert_eq!(header(&page, "cache-control"), "no-store");
    for bad in [
        "product=p1&sku=CUP&quantity=x",
        "product=p1&sku=%3C&quantity=1",
    ] {
        assert_eq!(post(&fake, "/shop/eu/basket", "", bad).status, 422, "{bad}");
    }
}

#[test]
fn a_form_that_is_sent_twice_places_one_order() {
    let fake = Fake::default();
    let shown = get(&fake, "/shop/eu/checkout", "basket=p1*CUP*2");
    assert!(
        header(&shown, "set-cookie").starts_with("guest="),
        "{shown:?}"
    );
    assert!(shown.body.contains("express: 2.00 EUR"), "{}", shown.body);
    let cookies = format!("{GUEST}; basket=p1*CUP*2");
    let first = post(&fake, "/shop/eu/checkout", &cookies, &form("k", "tok_ok"));
    let again = post(&fake, "/shop/eu/checkout", GUEST, &form("k", "tok_ok"));
    for reply in [&first, &again] {
        assert_eq!(
            (reply.status, header(reply, "location")),
            (303, "/shop/eu/orders/o1")
        );
    }
    assert!(
        header(&first, "set-cookie").starts_with("basket=; "),
        "{first:?}"
    );
    assert_eq!(fake.orders.borrow().len(), 1);
    assert_eq!(get(&fake, "/shop/eu/orders/o1", GUEST).status, 200);
    for stranger in [OTHER, ""] {
        assert_eq!(get(&fake, "/shop/eu/orders/o1", stranger).status, 404);
    }
}

#[test]
fn what_is_refused_is_shown_in_the_form() {
    let fake = Fake::default();
    let declined = post(
        &fake,
        "/shop/eu/checkout",
        GUEST,
        &form("k", "tok_declined"),
    );
    assert_eq!(declined.status, 409);
    assert!(declined.body.contains("the payment was declined"));
    assert!(
        declined.body.contains("value=\"Ann &lt;i&gt;\""),
        "{}",
        declined.body
    );
    assert!(
        !declined.body.contains("name=\"key\" value=\"k\""),
        "the next try is another"
    );
    let unknown = post(&fake, "/shop/eu/checkout", "", &form("k", "tok_ok"));
    assert_eq!(unknown.status, 422);
    assert!(unknown.body.contains("allow cookies"), "{}", unknown.body);
    assert!(
        unknown.body.contains("name=\"key\" value=\"k\""),
        "{}",
        unknown.body
    );
    let empty = post(&fake, "/shop/eu/checkout", GUEST, "key=k");
    assert!(
        empty.body.contains("Your basket is empty."),
        "{}",
        empty.body
    );
    assert!(fake.orders.borrow().is_empty());
}

#[test]
fn forms_of_other_sites_and_other_methods_are_refused() {
    let fake = Fake::default();
    let mut request = Request {
        method: "POST".into(),
        path: "/shop/eu/checkout".into(),
        body: form("k", "tok_ok").into(),
        ..Request::default()
    };
    request.headers.add("cookie", GUEST.into());
    assert_eq!(
        ask(&fake, &request).status,
        403,
        "it says not where it is from"
    );
    request.headers.add("sec-fetch-site", "cross-site".into());
    assert_eq!(ask(&fake, &request).status, 403);
    assert!(fake.orders.borrow().is_empty());
    request.method = "DELETE".into();
    assert_eq!(ask(&fake, &request).status, 405);
}
