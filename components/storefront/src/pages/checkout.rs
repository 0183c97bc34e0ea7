//! The form of an order.

use maud::{Markup, html};
use stoa_sdk::Error;

use super::Frame;
use super::basket::{Row, sum};
use crate::bindings::shop::shipping::carriers::ShippingQuote;
use crate::checkout::{Form, PAYMENTS};

/// The form for these rows, by the ways of shipping to each country, as it was filled in,
/// with what is wrong with it.
pub(crate) fn checkout(
    frame: Frame<'_>,
    (rows, quotes): (&[Row<'_>], &[(String, ShippingQuote)]),
    (form, faults): (&Form, &[String]),
) -> Result<Markup, Error> {
    let sum = sum(rows)?;
    let content = html! {
        h1 { "Order" }
        @if !faults.is_empty() {
            div.faults role="alert" {
                h2 { "Please look at this again" }
                ul { @for fault in faults { li { (fault) } } }
            }
        }
        h2 { "Your basket" }
        ul { @for row in rows { li { (row.line.quantity) " × " (row.name()) } } }
        @if let Some(sum) = sum { p { "Together: " strong { (sum) } ", without shipping" } }
        @if rows.is_empty() {
            p { "Your basket is empty: " a href=(frame.path("")) { "choose something first" } "." }
        } @else {
            form.order action=(frame.path("/checkout")) method="post" {
                input type="hidden" name="basket" value=(form.basket.text());
                input type="hidden" name="key" value=(form.key);
                (address(form))
                (delivery(form, quotes))
                (payment(form))
                p {
                    label for="discount" { "Discount code (if you have one)" }
                    input #discount name="discount" maxlength="64"
                        value=[form.discount.as_deref()] autocomplete="off";
                }
                button.action { "Order and pay" }
            }
        }
    };
    Ok(frame.page("Order", &content))
}

fn address(form: &Form) -> Markup {
    let fields = [
        ("name", "Name", "name", &form.name),
        (
            "street",
            "Street and number",
            "street-address",
            &form.street,
        ),
        (
            "postal_code",
            "Postal code",
            "postal-code",
            &form.postal_code,
        ),
        ("city", "City", "address-level2", &form.city),
    ];
    html! {
        fieldset {
            legend { "Address" }
            @for (name, text, complete, value) in fields {
                p {
                    label for=(name) { (text) }
                    input id=(name) name=(name) autocomplete=(complete) maxlength="200"
                        value=(value) required;
                }
            }
        }
    }
}

fn delivery(form: &Form, quotes: &[(String, ShippingQuote)]) -> Markup {
    html! {
        fieldset {
            legend { "Country and shipping" }
            @if quotes.is_empty() { p { "Our carrier does not go to this region now." } }
            @for (at, (country, quote)) in quotes.iter().enumerate() {
                @let value = format!("{country} {}", quote.service);
                @let id = format!("delivery-{at}");
                p {
                    input id=(id) type="radio" name="delivery" value=(value) required
                        checked[form.delivery == value];
                    label for=(id) {
                        (country_name(country)) ", " (quote.service) ": " (quote.price) ", "
                        (quote.days) @if quote.days == 1 { " working day" } @else { " working days" }
                    }
                }
            }
        }
    }
}

fn payment(form: &Form) -> Markup {
    html! {
        fieldset {
            legend { "Payment" }
            @for (token, text) in PAYMENTS {
                p {
                    input id=(token) type="radio" name="payment" value=(token) required
                        checked[form.payment == token];
                    label for=(token) { (text) }
                }
            }
        }
    }
}

/// What people call a country of ISO 3166; its code where this shop does not know.
pub(super) fn country_name(code: &str) -> &str {
    match code {
        "AT" => "Austria",
        "CH" => "Switzerland",
        "DE" => "Germany",
        "FR" => "France",
        "GB" => "United Kingdom",
        "US" => "United States",
        other => other,
    }
}
