//! What an order costs, to the minor unit. Pure.
//!
//! Whatever is shared out over lines (a discount of a fixed amount, tax that is rounded once
//! an order) is shared by running sums: each line gets the rounded sum up to it less that
//! before it, so that the parts add up to the whole. All rounding is half to even.

use serde::Deserialize;
use stoa_sdk::{Error, Money, MoneyError, invalid};

use crate::bindings::exports::shop::order::orders::OrderLine;

/// Basis points of the whole.
const WHOLE: i64 = 10_000;

/// When tax is rounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rounding {
    /// Once a line, of all its units.
    #[default]
    Line,
    /// Once an order; its lines share it.
    Order,
}

/// The tax of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tax {
    /// Basis points: 1900 is 19 %.
    pub(crate) bp: u32,
    /// Whether prices have it in them.
    pub(crate) included: bool,
    /// When it is rounded.
    pub(crate) rounding: Rounding,
}

impl Tax {
    fn on(self, net: &Money) -> Result<Money, MoneyError> {
        let bp = i64::from(self.bp);
        match self.included {
            true => net.scale(bp, WHOLE + bp),
            false => net.scale(bp, WHOLE),
        }
    }
}

/// What makes an order cheaper.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Off {
    /// A share of each line, rounded once a line: basis points, 1000 is 10 %.
    PercentBp(u32),
    /// So much of the whole, at most all of it: minor units of one currency.
    Amount {
        /// Minor units.
        minor: i64,
        /// ISO 4217 code.
        currency: String,
    },
}

/// What an order costs beside its lines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Price {
    pub(crate) discount: Option<Money>,
    pub(crate) tax: Option<Money>,
    pub(crate) total: Money,
}

/// Takes the discount off the lines, puts the tax on them and on sending them, and adds up.
///
/// # Errors
/// When an amount has no place in 64 bits.
pub(crate) fn price(
    lines: &mut [OrderLine],
    off: Option<&Off>,
    shipping: Option<&Money>,
    tax: Option<Tax>,
    currency: &str,
) -> Result<Price, Error> {
    compute(lines, off, shipping, tax, currency).map_err(|fault| invalid!("/lines", "{fault}"))
}

fn compute(
    lines: &mut [OrderLine],
    off: Option<&Off>,
    shipping: Option<&Money>,
    tax: Option<Tax>,
    currency: &str,
) -> Result<Price, MoneyError> {
    let zero = Money {
        minor: 0,
        currency: currency.to_owned(),
    };
    let discount = off.map(|off| discount(lines, off, &zero)).transpose()?;
    let mut net = lines.iter().map(net).collect::<Result<Vec<_>, _>>()?;
    net.extend(shipping.cloned());
    let mut total = net
        .iter()
        .try_fold(zero.clone(), |sum, part| sum.checked_add(part))?;
    let mut all_tax = None;
    if let Some(tax) = tax {
        let parts = taxes(&net, tax, &zero)?;
        let sum = parts
            .iter()
            .try_fold(zero, |sum, part| sum.checked_add(part))?;
        for (line, part) in lines.iter_mut().zip(parts) {
            line.tax = Some(part);
        }
        if !tax.included {
            total = total.checked_add(&sum)?;
        }
        all_tax = Some(sum);
    }
    Ok(Price {
        discount,
        tax: all_tax,
        total,
    })
}

/// A line's total less its discount.
fn net(line: &OrderLine) -> Result<Money, MoneyError> {
    match &line.discount {
        Some(discount) => line.total.checked_add(&discount.checked_mul(-1)?),
        None => Ok(line.total.clone()),
    }
}

fn discount(lines: &mut [OrderLine], off: &Off, zero: &Money) -> Result<Money, MoneyError> {
    let parts = match off {
        Off::PercentBp(bp) => {
            let bp = i64::from(*bp).min(WHOLE);
            let part = |line: &OrderLine| line.total.scale(bp, WHOLE);
            lines.iter().map(part).collect::<Result<Vec<_>, _>>()?
        }
        Off::Amount { minor, .. } => {
            let totals: Vec<_> = lines.iter().map(|line| line.total.clone()).collect();
            let sum = totals
                .iter()
                .try_fold(zero.clone(), |sum, one| sum.checked_add(one))?;
            let off = (*minor).clamp(0, sum.minor.max(0));
            shares(&totals, zero, |up_to| match sum.minor {
                0 => Ok(zero.clone()),
                sum => up_to.scale(off, sum),
            })?
        }
    };
    let sum = parts
        .iter()
        .try_fold(zero.clone(), |sum, part| sum.checked_add(part))?;
    for (line, part) in lines.iter_mut().zip(parts) {
        line.discount = Some(part);
    }
    Ok(sum)
}

fn taxes(net: &[Money], tax: Tax, zero: &Money) -> Result<Vec<Money>, MoneyError> {
    match tax.rounding {
        Rounding::Line => net.iter().map(|net| tax.on(net)).collect(),
        Rounding::Order => shares(net, zero, |up_to| tax.on(up_to)),
    }
}

/// What each amount adds to what `of` says of the sum up to it.
fn shares(
    amounts: &[Money],
    zero: &Money,
    of: impl Fn(&Money) -> Result<Money, MoneyError>,
) -> Result<Vec<Money>, MoneyError> {
    let (mut sum, mut before) = (zero.clone(), zero.clone());
    let mut all = Vec::new();
    for amount in amounts {
        sum = sum.checked_add(amount)?;
        let after = of(&sum)?;
        all.push(after.checked_add(&before.checked_mul(-1)?)?);
        before = after;
    }
    Ok(all)
}

/// What was paid for units of a line that come back after others. Over all its units it is
/// what the line cost.
pub(crate) fn paid_for(
    line: &OrderLine,
    tax_included: bool,
    before: u32,
    units: u32,
) -> Result<Money, MoneyError> {
    let mut paid = net(line)?;
    if let (Some(tax), false) = (&line.tax, tax_included) {
        paid = paid.checked_add(tax)?;
    }
    let of = i64::from(line.quantity.max(1));
    let up_to = |units: u32| paid.scale(i64::from(units), of);
    up_to(before + units)?.checked_add(&up_to(before)?.checked_mul(-1)?)
}

#[cfg(test)]
mod tests;
