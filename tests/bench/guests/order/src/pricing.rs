//! What an order costs: the one calculation that the native server and the
//! component share. Knows nothing of JSON, HTTP or WIT.

/// One position, as far as its price goes.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    /// Pieces.
    pub quantity: u32,
    /// Price of one piece, in minor units.
    pub price_minor: i64,
    /// Off that price, in per cent.
    pub discount_percent: u8,
}

/// What an order costs, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Price {
    /// Positions.
    pub lines: u32,
    /// Pieces.
    pub items: u64,
    /// Before discounts.
    pub subtotal_minor: i64,
    /// Sum of the discounts.
    pub discount_minor: i64,
    /// On what is left of the subtotal.
    pub tax_minor: i64,
    /// Flat, or nothing for a large order.
    pub shipping_minor: i64,
    /// What the customer pays.
    pub total_minor: i64,
}

/// Why an order has no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It has no lines.
    Empty,
    /// The line at this index has no quantity, a negative price or a discount over 100 %.
    BadLine(u32),
    /// The sum is beyond what money can be.
    TooLarge,
}

const TAX_PERCENT: i64 = 19;
const SHIPPING_MINOR: i64 = 495;
const FREE_SHIPPING_MINOR: i64 = 50_000;

/// Prices an order of these positions.
///
/// # Errors
/// `Fault` names the first rule that the order breaks.
pub fn price(positions: impl IntoIterator<Item = Position>) -> Result<Price, Fault> {
    let mut sum = Price::default();
    for position in positions {
        add(&mut sum, position)?;
    }
    if sum.lines == 0 {
        return Err(Fault::Empty);
    }
    let net = sum.subtotal_minor - sum.discount_minor;
    sum.tax_minor = percent_of(net, TAX_PERCENT)?;
    sum.shipping_minor = if net >= FREE_SHIPPING_MINOR {
        0
    } else {
        SHIPPING_MINOR
    };
    sum.total_minor = net
        .checked_add(sum.tax_minor)
        .and_then(|total| total.checked_add(sum.shipping_minor))
        .ok_or(Fault::TooLarge)?;
    Ok(sum)
}

fn add(sum: &mut Price, position: Position) -> Result<(), Fault> {
    if position.quantity == 0 || position.price_minor < 0 || position.discount_percent > 100 {
        return Err(Fault::BadLine(sum.lines));
    }
    let gross = position
        .price_minor
        .checked_mul(i64::from(position.quantity))
        .ok_or(Fault::TooLarge)?;
    sum.discount_minor += percent_of(gross, i64::from(position.discount_percent))?;
    sum.subtotal_minor = sum
        .subtotal_minor
        .checked_add(gross)
        .ok_or(Fault::TooLarge)?;
    sum.items += u64::from(position.quantity);
    sum.lines += 1;
    Ok(())
}

/// Half-even, as money is rounded.
fn percent_of(amount: i64, percent: i64) -> Result<i64, Fault> {
    let hundredfold = amount.checked_mul(percent).ok_or(Fault::TooLarge)?;
    let (whole, rest) = (hundredfold / 100, hundredfold % 100);
    let up = rest > 50 || (rest == 50 && whole % 2 == 1);
    Ok(whole + i64::from(up))
}
