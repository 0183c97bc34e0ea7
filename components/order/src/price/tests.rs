use proptest::prelude::*;

use super::*;

fn money(minor: i64) -> Money {
    Money {
        minor,
        currency: "USD".into(),
    }
}

fn line(sku: &str, quantity: u32, unit: i64) -> OrderLine {
    OrderLine {
        sku: sku.into(),
        product_id: "p".into(),
        name: "Cup".into(),
        quantity,
        unit_price: money(unit),
        total: money(unit * i64::from(quantity)),
        discount: None,
        tax: None,
        returned: None,
    }
}

fn tax(bp: u32, included: bool, rounding: Rounding) -> Option<Tax> {
    Some(Tax {
        bp,
        included,
        rounding,
    })
}

fn priced(
    lines: &mut [OrderLine],
    off: Option<&Off>,
    shipping: Option<i64>,
    tax: Option<Tax>,
) -> Price {
    let shipping = shipping.map(money);
    price(lines, off, shipping.as_ref(), tax, "USD").unwrap()
}

/// medusa#14818: 24.99 at 10.75 % and 6.44 for sending it, which are taxed, too.
#[test]
fn what_is_stored_is_what_is_charged() {
    let mut lines = [line("A", 1, 2499)];
    let price = priced(
        &mut lines,
        None,
        Some(644),
        tax(1075, false, Rounding::Order),
    );
    // 31.43 * 0.1075 = 3.378725
    assert_eq!((price.tax, price.total), (Some(money(338)), money(3481)));
    let mut lines = [line("A", 1, 2499)];
    let price = priced(&mut lines, None, None, tax(1075, false, Rounding::Line));
    assert_eq!(price.total, money(2768), "27.676425");
}

/// vendure#2662, #3003: ten units, 10 % off.
#[test]
fn a_share_is_taken_off_a_line_and_not_off_each_unit() {
    let off = Off::PercentBp(1000);
    let mut lines = [line("A", 10, 105)];
    let price = priced(&mut lines, Some(&off), None, None);
    assert_eq!(
        (price.discount, price.total),
        (Some(money(105)), money(945))
    );
    // 19 % in it, rounded for the line: 945 * 19 / 119 = 150.88…
    let price = priced(
        &mut lines,
        Some(&off),
        None,
        tax(1900, true, Rounding::Line),
    );
    assert_eq!((price.tax, price.total), (Some(money(151)), money(945)));
}

#[test]
fn tax_is_rounded_once_a_line_or_once_an_order() {
    let mut lines = [line("A", 1, 105), line("B", 1, 105), line("C", 1, 105)];
    // 10.5 a line, halves to even: 10 each; 31.5 in all: 32.
    let by_line = priced(&mut lines, None, None, tax(1000, false, Rounding::Line));
    assert_eq!(by_line.tax, Some(money(30)));
    let by_order = priced(&mut lines, None, None, tax(1000, false, Rounding::Order));
    assert_eq!(by_order.tax, Some(money(32)));
    let parts: Vec<_> = lines
        .iter()
        .map(|line| line.tax.as_ref().unwrap().minor)
        .collect();
    assert_eq!(parts, [10, 11, 11]);
}

#[test]
fn an_amount_off_is_shared_and_never_more_than_there_is() {
    let off = |minor| Off::Amount {
        minor,
        currency: "USD".into(),
    };
    let mut lines = [line("A", 1, 1000), line("B", 1, 1000), line("C", 1, 1000)];
    let price = priced(&mut lines, Some(&off(1000)), None, None);
    let parts: Vec<_> = lines
        .iter()
        .map(|line| line.discount.as_ref().unwrap().minor)
        .collect();
    assert_eq!((parts, price.total), (vec![333, 334, 333], money(2000)));
    let price = priced(&mut lines, Some(&off(5000)), Some(500), None);
    assert_eq!(
        (price.discount, price.total),
        (Some(money(3000)), money(500))
    );
}

#[test]
fn sums_beyond_all_amounts_are_refused() {
    let mut lines = [line("A", 1, i64::MAX), line("B", 1, 1)];
    let refused = price(&mut lines, None, None, None, "USD");
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
}

proptest! {
    /// Umbraco.Commerce#126, reaction#4684: the parts are the whole, always. And what comes
    /// back unit by unit (woocommerce#64668) ends at exactly nothing.
    #[test]
    fn the_parts_are_the_whole(
        wanted in prop::collection::vec((1..20_u32, 0..100_000_i64), 1..8),
        off in prop::option::of(prop_oneof![
            (0..12_000_u32).prop_map(Off::PercentBp),
            (0..3_000_000_i64).prop_map(|minor| Off::Amount { minor, currency: "USD".into() }),
        ]),
        shipping in prop::option::of(0..5_000_i64),
        tax in prop::option::of((0..3_000_u32, any::<bool>(), any::<bool>())),
        batch in 1..5_u32,
    ) {
        let tax = tax.map(|(bp, included, by_line)| Tax {
            bp,
            included,
            rounding: if by_line { Rounding::Line } else { Rounding::Order },
        });
        let mut lines: Vec<_> = wanted.iter().map(|(n, unit)| line("A", *n, *unit)).collect();
        let price = priced(&mut lines, off.as_ref(), shipping, tax);
        let minor = |part: &Option<Money>| part.as_ref().map_or(0, |part| part.minor);
        let totals: i64 = lines.iter().map(|line| line.total.minor).sum();
        let discounts: i64 = lines.iter().map(|line| minor(&line.discount)).sum();
        prop_assert_eq!(discounts, minor(&price.discount));
        let included = tax.is_none_or(|tax| tax.included);
        let on_top = if included { 0 } else { minor(&price.tax) };
        let whole = totals - discounts + shipping.unwrap_or(0) + on_top;
        prop_assert_eq!(whole, price.total.minor);
        prop_assert!(discounts <= totals && price.total.minor >= 0);

        let mut back = 0;
        for line in &lines {
            let mut before = 0;
            while before < line.quantity {
                let units = batch.min(line.quantity - before);
                let paid = paid_for(line, included, before, units).unwrap();
                prop_assert!(paid.minor >= 0);
                back += paid.minor;
                before += units;
            }
        }
        let line_tax: i64 = lines.iter().map(|line| minor(&line.tax)).sum();
        let sending = shipping.unwrap_or(0) + if included { 0 } else { minor(&price.tax) - line_tax };
        prop_assert_eq!(back + sending, price.total.minor);
    }
}
