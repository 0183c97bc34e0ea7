//! The index against a reference that looks at everything each time.

mod reference;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use stoa_sdk::Money;

use super::*;
use crate::bindings::shop::product::products::{Product, ProductVariant};
use crate::catalog::Filter;
use crate::testing::{product, translation};
use crate::words::words;
use reference::Reference;

const NAMES: [&str; 6] = [
    "Cup",
    "cup",
    "Blue cup",
    "Ätna lamp",
    "Teapot",
    "atna Lamp XL",
];
const CATEGORIES: [Option<&str>; 3] = [None, Some("kitchen"), Some("office")];
const CURRENCIES: [&str; 2] = ["EUR", "USD"];
const PLACES: [&str; 3] = ["berlin", "lyon", "denver"];
const LANGUAGES: [&str; 3] = ["de", "zh-Hant-TW", "en"];
/// None of them has a typing error in a word that is there.
const TYPED: [&str; 6] = ["cup", "c", "lamp at", "kitchen tea", "sku 1", "xl office"];

/// What happens.
#[derive(Debug, Clone)]
enum Event {
    Put(Product),
    Remove(u8),
    Stock(u8, BTreeMap<String, u64>),
    Ask(Question),
    /// The index is saved, and read by another instance.
    Move,
}

/// What is asked, of all pages.
#[derive(Debug, Clone)]
struct Question {
    currency: usize,
    places: Vec<String>,
    filter: Filter,
    order: usize,
    limit: usize,
}

fn id(number: u8) -> String {
    format!("{number:02}")
}

fn products() -> impl Strategy<Value = Product> {
    let variant = (
        0_u8..8,
        prop::collection::btree_map(0_usize..2, 0_i64..4, 1..3),
    );
    let variants = prop::collection::vec(variant, 1..3);
    let names = (0_usize..6, prop::option::of((0_usize..2, 0_usize..6)));
    (0_u8..10, names, 0_usize..3, variants).prop_map(|(number, names, category, variants)| {
        let (name, translated) = names;
        let mut product = product(&id(number), NAMES[name]);
        product.category = CATEGORIES[category].map(str::to_owned);
        // A tag that stands for itself, and one that a longer one is looked up by.
        let translated =
            translated.map(|(tag, name)| translation(["de", "zh-hant"][tag], NAMES[name]));
        product.translations = translated.map(|translation| vec![translation]);
        let variant = |(sku, prices): (u8, BTreeMap<usize, i64>)| ProductVariant {
            sku: format!("SKU-{sku}"),
            title: None,
            prices: prices
                .into_iter()
                .map(|(currency, minor)| Money {
                    minor: minor * 100,
                    currency: CURRENCIES[currency].into(),
                })
                .collect(),
        };
        product.variants = variants.into_iter().map(variant).collect();
        product
    })
}

fn questions() -> impl Strategy<Value = Question> {
    let places = prop::sample::subsequence(PLACES.map(str::to_owned).to_vec(), 1..3);
    let price = || prop::option::of((0_i64..4).prop_map(|price| price * 100));
    let category = prop::option::of(prop::sample::select(vec!["kitchen", "office", "none"]));
    let filter = (category, price(), price(), any::<bool>());
    let filter = filter.prop_map(|(category, min_price, max_price, in_stock)| Filter {
        category: category.map(str::to_owned),
        min_price,
        max_price,
        in_stock,
    });
    (0_usize..2, places, filter, 0_usize..12, 1_usize..5).prop_map(
        |(currency, places, filter, order, limit)| Question {
            currency,
            places,
            filter,
            order,
            limit,
        },
    )
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let units = prop::collection::btree_map(
        prop::sample::select(PLACES.map(str::to_owned).to_vec()),
        0_u64..3,
        0..3,
    );
    let event = prop_oneof![
        4 => products().prop_map(Event::Put),
        1 => (0_u8..10).prop_map(Event::Remove),
        2 => (0_u8..8, units).prop_map(|(sku, units)| Event::Stock(sku, units)),
        4 => questions().prop_map(Event::Ask),
        1 => Just(Event::Move),
    ];
    prop::collection::vec(event, 1..60)
}

fn order<'w>(number: usize, typed: &'w [String]) -> Order<'w> {
    match number {
        0 => Order::Created,
        1 => Order::PriceAsc,
        2 => Order::PriceDesc,
        order @ 3..6 => Order::Name(LANGUAGES[order - 3]),
        _ => Order::Rank(typed),
    }
}

/// All pages, and what the first one counts.
fn ask(index: &mut Index, question: &Question) -> (Vec<String>, Facets) {
    let typed = words(TYPED[question.order.saturating_sub(6).min(5)]);
    let (mut ids, mut cursor, mut facets) = (Vec::new(), None::<String>, None);
    loop {
        let answer = index.ask(&Ask {
            currency: CURRENCIES[question.currency],
            locations: &question.places,
            filter: &question.filter,
            order: order(question.order, &typed),
            facets: facets.is_none(),
            limit: question.limit,
            cursor: cursor.as_deref(),
        });
        let answer = answer.expect("its own cursor");
        assert!(answer.ids.len() == question.limit || answer.next.is_none());
        ids.extend(answer.ids);
        facets = facets.or(answer.facets);
        cursor = answer.next;
        if cursor.is_none() {
            return (ids, facets.expect("asked for"));
        }
    }
}

fn check(index: &mut Index, reference: &Reference, question: &Question) {
    let (ids, facets) = ask(index, question);
    assert_eq!(ids, reference.answer(question), "{question:?}");
    assert_eq!(facets.total as usize, ids.len());
    let without = |filter: Filter| {
        let question = Question {
            filter,
            ..question.clone()
        };
        reference.answer(&question)
    };
    let of_any = without(Filter {
        category: None,
        ..question.filter.clone()
    });
    let mut categories = BTreeMap::new();
    for id in of_any {
        if let Some(category) = reference.products[&id].category.clone() {
            *categories.entry(category).or_insert(0) += 1;
        }
    }
    assert_eq!(
        facets.categories.into_iter().collect::<BTreeMap<_, u32>>(),
        categories
    );
    let stocked = without(Filter {
        in_stock: true,
        ..question.filter.clone()
    });
    assert_eq!(facets.in_stock as usize, stocked.len());
    let at_any = without(Filter {
        min_price: None,
        max_price: None,
        ..question.filter.clone()
    });
    for (from, to, count) in facets.prices {
        let within = at_any.iter().filter(|id| {
            let price = Reference::price(&reference.products[*id], CURRENCIES[question.currency]);
            price.is_some_and(|price| (from..to).contains(&price))
        });
        assert_eq!(within.count(), count as usize, "{from}..{to}");
    }
}

/// The same, read from pages.
fn moved(index: &Index) -> Index {
    let mut other = Index::default();
    let saved = index.save(|page| {
        assert!(other.load(&page));
        Ok::<_, ()>(())
    });
    saved.expect("reading does not fail");
    other
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn it_answers_as_one_that_looks_at_everything(events in events()) {
        let (mut index, mut reference) = (Index::default(), Reference::default());
        for event in events {
            match event {
                Event::Put(product) => {
                    index.put(&Entry::of(&product));
                    reference.products.insert(product.id.clone(), product);
                }
                Event::Remove(number) => {
                    index.remove(&id(number));
                    reference.products.remove(&id(number));
                }
                Event::Stock(sku, units) => {
                    let sku = format!("SKU-{sku}");
                    index.stock(&sku, &units);
                    for place in PLACES {
                        let near = [place.to_owned()];
                        let expected = units.get(place).copied().unwrap_or(0);
                        assert_eq!(index.available(&sku, &near), expected);
                    }
                    reference.stock.insert(sku, units);
                }
                Event::Ask(question) => check(&mut index, &reference, &question),
                Event::Move => index = moved(&index),
            }
            assert_eq!(index.len(), reference.products.len());
        }
    }

    /// What does not change between two pages comes once, whatever becomes of the rest.
    #[test]
    fn pages_lose_and_repeat_nothing_that_stays(
        before in prop::collection::vec(products(), 1..12),
        between in prop::collection::vec(products(), 1..6),
        gone in prop::collection::vec(0_u8..10, 0..3),
        order_number in 0_usize..7,
    ) {
        let mut index = Index::default();
        let mut first = BTreeMap::new();
        for product in before {
            index.put(&Entry::of(&product));
            first.insert(product.id.clone(), product);
        }
        let typed = words("c");
        let filter = Filter::default();
        let page = |index: &mut Index, cursor: Option<&str>| {
            let answer = index.ask(&Ask {
                currency: "EUR",
                locations: &[],
                filter: &filter,
                order: order(order_number, &typed),
                facets: false,
                limit: 2,
                cursor,
            });
            answer.expect("its own cursor")
        };
        let all = {
            let (mut all, mut cursor) = (BTreeSet::new(), None::<String>);
            loop {
                let answer = page(&mut index, cursor.as_deref());
                all.extend(answer.ids);
                cursor = answer.next;
                if cursor.is_none() {
                    break all;
                }
            }
        };
        let answer = page(&mut index, None);
        let (mut seen, mut cursor) = (answer.ids, answer.next);
        let mut touched = BTreeSet::new();
        for number in gone {
            index.remove(&id(number));
            touched.insert(id(number));
        }
        for product in between {
            index.put(&Entry::of(&product));
            touched.insert(product.id.clone());
        }
        while let Some(from) = cursor {
            let answer = page(&mut index, Some(&from));
            seen.extend(answer.ids);
            cursor = answer.next;
        }
        for id in all.difference(&touched) {
            let times = seen.iter().filter(|seen| *seen == id).count();
            prop_assert_eq!(times, 1, "{} in {:?}", id, seen);
        }
    }
}

#[test]
fn words_with_typing_errors_are_found_last() {
    let mut index = Index::default();
    for (number, name) in [
        "Espresso cup",
        "Cup",
        "Espresso machine",
        "Espesso spoon",
        "Lamp SKU-12345679",
    ]
    .iter()
    .enumerate()
    {
        index.put(&Entry::of(&product(&number.to_string(), name)));
    }
    let mut found = |typed: &str| {
        let answer = index.ask(&Ask {
            currency: "EUR",
            locations: &[],
            filter: &Filter::default(),
            order: Order::Rank(&words(typed)),
            facets: false,
            limit: 10,
            cursor: None,
        });
        answer.unwrap().ids.concat()
    };
    assert_eq!(found("cup"), "01");
    assert_eq!(found("espesso"), "302");
    assert_eq!(found("espresso"), "023");
    assert_eq!(found("ESPRESSSO mashine"), "2");
    assert_eq!(found("cap"), "");
    assert_eq!(found("12345678"), "");
    assert_eq!(found("1234567"), "4");
}

#[test]
fn a_cursor_of_another_list_is_refused() {
    let mut index = Index::default();
    for number in 0..3 {
        index.put(&Entry::of(&product(&id(number), "Cup")));
    }
    let mut page = |order, cursor: Option<&str>| {
        index.ask(&Ask {
            currency: "EUR",
            locations: &[],
            filter: &Filter::default(),
            order,
            facets: false,
            limit: 1,
            cursor,
        })
    };
    let next = page(Order::Name("de"), None).unwrap().next;
    assert!(page(Order::Name("de"), next.as_deref()).is_ok());
    for other in [
        Order::Name("fr"),
        Order::Created,
        Order::PriceAsc,
        Order::PriceDesc,
    ] {
        assert!(page(other, next.as_deref()).is_err(), "{other:?}");
    }
    assert!(page(Order::Created, Some("forged")).is_err());
}

#[test]
fn what_is_no_page_is_refused() {
    let mut index = Index::default();
    assert!(!index.load(b"\xff\xff\xff"));
    assert_eq!(index.len(), 0);
}
