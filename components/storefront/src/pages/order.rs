//! An order, from placed to delivered.

use maud::{Markup, html};

use super::Frame;
use super::checkout::country_name;
use crate::bindings::shop::order::orders::{Order, OrderState as State};

/// The page of an order.
pub(crate) fn order(frame: Frame<'_>, order: &Order) -> Markup {
    let content = html! {
        h1 { "Your order" }
        p { "Number " code { (order.id) } }
        p role="status" { strong { (state(order.state)) } }
        @if let Some(reason) = &order.reason { p { "The reason: " (reason) } }
        @if let Some(url) = order.action_url.as_deref().filter(|url| is_web(url)) {
            p { a.action href=(url) { "Confirm the payment" } }
        }
        @if let Some(tracking) = &order.tracking {
            p { "Tracking number: " code { (tracking) } }
        }
        (lines(order))
        @if let Some(to) = &order.address {
            h2 { "It goes to" }
            p {
                (to.name) br; (to.street) br; (to.postal_code) " " (to.city) br;
                (country_name(&to.country))
            }
        }
        p { a href=(frame.path("")) { "Back to the shop" } }
    };
    frame.page("Your order", &content)
}

fn lines(order: &Order) -> Markup {
    let tax = match order.tax_included {
        Some(false) => "Tax",
        _ => "Tax, in the prices",
    };
    let sums = [
        ("Discount", order.discount.as_ref(), true),
        ("Shipping", order.shipping.as_ref(), false),
        (tax, order.tax.as_ref(), false),
    ];
    html! {
        table {
            thead {
                tr { th scope="col" { "Product" } th scope="col" { "Quantity" } th scope="col" { "Price" } }
            }
            tbody {
                @for line in &order.lines {
                    tr { th scope="row" { (line.name) } td { (line.quantity) } td { (line.total) } }
                }
            }
            tfoot {
                @for (name, amount, less) in sums {
                    @if let Some(amount) = amount {
                        tr { th scope="row" colspan="2" { (name) } td { @if less { "−" } (amount) } }
                    }
                }
                tr { th scope="row" colspan="2" { "Total" } td { strong { (order.total) } } }
                @if let Some(refunded) = &order.refunded {
                    tr { th scope="row" colspan="2" { "Given back" } td { (refunded) } }
                }
            }
        }
    }
}

/// Whether a browser may be sent there: no `javascript:`.
fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn state(state: State) -> &'static str {
    match state {
        State::Pending => "We are working on it: load this page again in a moment.",
        State::Reserved => "Your payment has to be confirmed.",
        State::Authorized => "It is almost confirmed.",
        State::Confirmed => "It is confirmed, and will be sent.",
        State::Fulfilling => "It is on its way.",
        State::Completed => "It was delivered.",
        State::Cancelled => "It was cancelled: you pay nothing.",
        State::Returned => "It came back, and your money with it.",
    }
}
