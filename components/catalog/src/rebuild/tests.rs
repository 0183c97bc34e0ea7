use super::*;
use crate::testing::{Buckets, NOW, Shop, product, stock};

/// The ids of the items that there are.
fn items(buckets: &Buckets) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let (keys, next) = buckets.copies.items.keys(cursor.as_deref()).unwrap();
        let copied = buckets.copies.items.get_many(&keys).unwrap().into_iter();
        let live = copied.flatten().filter_map(|copied| copied.product);
        ids.extend(live.map(|product| product.id));
        cursor = next;
        if cursor.is_none() {
            return ids;
        }
    }
}

fn shop_of(products: u32) -> Shop {
    let shop = Shop::default();
    for number in 0..products {
        let id = format!("{number:04}");
        let sku = format!("SKU-{id}");
        let units = stock(&sku, 1, &[("berlin", 1)]);
        shop.put(product(&id, "Cup"));
        shop.stock.borrow_mut().insert(sku, units);
    }
    shop
}

/// Does the steps that are waiting, each one twice, and `between` before each.
fn run(rebuild: &Rebuild<'_, &Shop>, shop: &Shop, mut between: impl FnMut(usize)) {
    let mut warm = Warm::default();
    for step in 0.. {
        let due = shop.steps.borrow_mut().pop();
        let Some((id, version)) = due else {
            return;
        };
        assert!(step < 1000, "it comes to no end");
        between(step);
        for _ in 0..2 {
            rebuild.advance(&id, version, &mut warm, NOW).unwrap();
        }
    }
}

fn rebuild<'a>(buckets: &'a Buckets, shop: &'a Shop) -> Rebuild<'a, &'a Shop> {
    Rebuild::new(Bucket::in_memory(), buckets.intake(shop))
}

#[test]
fn it_finds_all_products_and_leaves_no_other() {
    let (shop, buckets) = (shop_of(250), Buckets::new());
    let gone = product("0100-gone", "Cup");
    buckets.copies.keep(&gone).unwrap();
    let taken = Shop::default();
    taken.put(gone);
    buckets.hear(&taken, "0100-gone", 1).unwrap();
    let rebuild = rebuild(&buckets, &shop);
    assert!(matches!(rebuild.progress(), Err(Error::NotFound(_))));
    let begun = rebuild.begin(NOW).unwrap();
    assert_eq!((begun.state, begun.version), (State::Reading, 1));
    run(&rebuild, &shop, |_| ());
    let ended = rebuild.progress().unwrap();
    assert_eq!(ended.state, State::Done);
    assert_eq!((ended.products, ended.swept, ended.removed), (250, 251, 1));
    let expected: Vec<_> = shop.products.borrow().keys().cloned().collect();
    assert_eq!(items(&buckets), expected);
    let mut warm = Warm::default();
    let index = warm.index(buckets.kept()).unwrap();
    assert_eq!(index.len(), 250);
    assert_eq!(index.available("SKU-0249", &["berlin".to_owned()]), 1);
}

#[test]
fn changes_that_come_meanwhile_stay() {
    let (shop, buckets) = (shop_of(250), Buckets::new());
    let rebuild = rebuild(&buckets, &shop);
    rebuild.begin(NOW).unwrap();
    run(&rebuild, &shop, |step| {
        // Of those that were read, and of those that were not: one is changed, one goes, one
        // comes.
        let (changed, gone) = (format!("{:04}", 11 * step), format!("{:04}", 11 * step + 1));
        let version = {
            let mut products = shop.products.borrow_mut();
            let product = products.get_mut(&changed);
            product.map(|product| {
                product.name = "Teapot".into();
                product.version += 1;
                product.version
            })
        };
        if let Some(version) = version {
            buckets.hear(&shop, &changed, version).unwrap();
        }
        if shop.products.borrow_mut().remove(&gone).is_some() {
            buckets.hear(&shop, &gone, 2).unwrap();
        }
        let new = format!("9{step:04}");
        shop.put(product(&new, "New"));
        buckets.hear(&shop, &new, 1).unwrap();
    });
    let expected: Vec<_> = shop.products.borrow().keys().cloned().collect();
    assert_eq!(items(&buckets), expected);
    for product in shop.products.borrow().values() {
        let copied = buckets.copies.items.get(&product.id).unwrap().unwrap();
        assert_eq!(copied.product.as_ref(), Some(product));
    }
}

#[test]
fn a_new_one_ends_one_that_is_under_way() {
    let (shop, buckets) = (shop_of(250), Buckets::new());
    let rebuild = rebuild(&buckets, &shop);
    let first = rebuild.begin(NOW).unwrap();
    let (id, version) = shop.steps.borrow_mut().pop().unwrap();
    rebuild
        .advance(&id, version, &mut Warm::default(), NOW)
        .unwrap();
    let second = rebuild.begin(NOW).unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!((second.version, second.products), (3, 0));
    run(&rebuild, &shop, |_| ());
    let ended = rebuild.progress().unwrap();
    assert_eq!((ended.id, ended.products), (second.id, 250));
    assert_eq!(ended.state, State::Done);
}

#[test]
fn a_step_waits_for_the_product_service() {
    let (shop, buckets) = (shop_of(3), Buckets::new());
    let rebuild = rebuild(&buckets, &shop);
    let begun = rebuild.begin(NOW).unwrap();
    shop.is_down.set(true);
    let failed = rebuild.advance(&begun.id, 1, &mut Warm::default(), NOW);
    assert!(matches!(failed, Err(Error::Unavailable(_))));
    assert_eq!(rebuild.progress().unwrap(), begun);
}
