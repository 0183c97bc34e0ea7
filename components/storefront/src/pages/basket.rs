//! What is in the basket, at the catalog's prices of now.

use maud::{Markup, html};
use stoa_sdk::{Error, Money, conflict};

use super::Frame;
use crate::basket::Line;
use crate::bindings::shop::catalog::catalog::{Item, ItemVariant};

/// A line of a basket, and what the catalog says of it.
pub(crate) struct Row<'a> {
    pub(crate) line: &'a Line,
    /// The name, its language, and the variant; none where it is not sold any more.
    found: Option<(String, Option<String>, ItemVariant)>,
}

impl<'a> Row<'a> {
    /// The line with its variant of this item.
    pub(crate) fn new(line: &'a Line, item: Option<Item>) -> Self {
        let found = item.and_then(|item| {
            let variant = item
                .variants
                .into_iter()
                .find(|variant| variant.sku == line.sku)?;
            Some((item.name, item.language, variant))
        });
        Self { line, found }
    }

    /// The price of all its units.
    fn total(&self) -> Result<Option<Money>, Error> {
        let Some((_, _, variant)) = &self.found else {
            return Ok(None);
        };
        let total = variant.price.checked_mul(i64::from(self.line.quantity));
        Ok(Some(total.map_err(|fault| {
            conflict!("{}: {fault}", self.line.sku)
        })?))
    }

    /// Its name in the language that the catalog has it in.
    pub(super) fn name(&self) -> Markup {
        html! {
            @match &self.found {
                Some((name, language, variant)) => {
                    span lang=[language.as_deref()] { (name) }
                    @if let Some(title) = &variant.title { ", " (title) }
                }
                None => { (self.line.sku) " is not sold any more: please take it out." }
            }
        }
    }
}

/// The sum of all rows that are sold; none of no rows.
pub(super) fn sum(rows: &[Row<'_>]) -> Result<Option<Money>, Error> {
    let mut sum: Option<Money> = None;
    for row in rows {
        sum = match (sum, row.total()?) {
            (None, total) => total,
            (sum, None) => sum,
            (Some(sum), Some(total)) => {
                let sum = sum.checked_add(&total);
                Some(sum.map_err(|fault| conflict!("{}: {fault}", row.line.sku))?)
            }
        };
    }
    Ok(sum)
}

/// The page of a basket.
pub(crate) fn basket(frame: Frame<'_>, rows: &[Row<'_>]) -> Result<Markup, Error> {
    let sum = sum(rows)?;
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        lines.push(line(frame, row, row.total()?.as_ref()));
    }
    let content = html! {
        h1 { "Your basket" }
        @if rows.is_empty() {
            p { "There is nothing in it yet." }
        } @else {
            table {
                thead {
                    tr { th scope="col" { "Product" } th scope="col" { "Quantity" } th scope="col" { "Price" } }
                }
                tbody { @for line in &lines { (line) } }
            }
            @if let Some(sum) = &sum {
                p { "Together: " strong { (sum) } ", without shipping" }
                p { a.action href=(frame.path("/checkout")) { "Order" } }
            }
        }
    };
    Ok(frame.page("Your basket", &content))
}

fn line(frame: Frame<'_>, row: &Row<'_>, total: Option<&Money>) -> Markup {
    let line = row.line;
    let field = format!("quantity-{}", line.sku);
    let hidden = html! {
        input type="hidden" name="product" value=(line.product);
        input type="hidden" name="sku" value=(line.sku);
        input type="hidden" name="exactly" value="true";
    };
    html! {
        tr {
            th scope="row" { (row.name()) }
            td {
                form action=(frame.path("/basket")) method="post" {
                    (hidden)
                    label for=(field) { "Quantity of " (line.sku) }
                    input id=(field) name="quantity" type="number" min="1" max="10000"
                        value=(line.quantity) required;
                    button { "Change" }
                }
                form action=(frame.path("/basket")) method="post" {
                    (hidden)
                    input type="hidden" name="quantity" value="0";
                    button { "Take " (line.sku) " out" }
                }
            }
            td { @if let Some(total) = total { (total) } }
        }
    }
}
