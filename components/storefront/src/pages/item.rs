//! One product, and the forms that put it into the basket.

use maud::{Markup, html};

use super::Frame;
use super::picture::picture;
use crate::bindings::shop::catalog::catalog::{Item, ItemVariant};

/// The page of a product.
pub(crate) fn item(frame: Frame<'_>, item: &Item) -> Markup {
    let language = item.language.as_deref();
    let tax = match frame.region.tax_inclusive {
        true => "Prices include tax, and not the shipping.",
        false => "Tax and shipping are added when you order.",
    };
    let content = html! {
        h1 lang=[language] { (item.name) }
        (picture(&item.id))
        @if let Some(description) = &item.description { p.description lang=[language] { (description) } }
        ul.variants {
            @for variant in &item.variants { li { (offer(frame, item, variant)) } }
        }
        p { (tax) }
    };
    frame.page(&item.name, &content)
}

fn offer(frame: Frame<'_>, item: &Item, variant: &ItemVariant) -> Markup {
    let field = format!("quantity-{}", variant.sku);
    html! {
        h2 { (variant.title.as_deref().unwrap_or(&variant.sku)) }
        p { strong { (variant.price) } " – " (stock(variant.available)) }
        @if variant.available > 0 {
            form action=(frame.path("/basket")) method="post" {
                input type="hidden" name="product" value=(item.id);
                input type="hidden" name="sku" value=(variant.sku);
                label for=(field) { "Quantity" }
                input id=(field) name="quantity" type="number" min="1"
                    max=(variant.available.min(10_000)) value="1" required;
                button { "Put " (variant.sku) " into the basket" }
            }
        }
    }
}

fn stock(available: u64) -> String {
    match available {
        0 => "sold out".to_owned(),
        few @ 1..=5 => format!("only {few} left"),
        _ => "in stock".to_owned(),
    }
}
