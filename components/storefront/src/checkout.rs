//! The form of an order.

use crate::basket::{Basket, Line};
use crate::bindings::shop::order::orders::{NewLine, NewOrder};
use crate::bindings::shop::shipping::carriers::Address;
use crate::message::Fields;

/// The payment sandbox's tokens, and what they stand for.
pub(crate) const PAYMENTS: [(&str, &str); 5] = [
    ("tok_ok", "Test card that works"),
    ("tok_declined", "Test card that is declined"),
    ("tok_requires_action", "Test card that you have to confirm"),
    ("tok_flaky", "Test card whose bank answers after some tries"),
    ("tok_slow", "Test card whose bank answers late"),
];

/// What a customer filled in.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Form {
    /// The basket that the page showed: a repeat is the same order, whatever the cookie says.
    pub(crate) basket: Basket,
    /// Random, so that a form that is sent twice places one order.
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) street: String,
    pub(crate) city: String,
    pub(crate) postal_code: String,
    /// Country and way: `DE standard`.
    pub(crate) delivery: String,
    pub(crate) discount: Option<String>,
    /// A token of [`PAYMENTS`].
    pub(crate) payment: String,
}

impl Form {
    /// An empty form for this basket.
    pub(crate) fn new(basket: Basket, key: String) -> Self {
        Self {
            basket,
            key,
            payment: PAYMENTS[0].0.to_owned(),
            ..Self::default()
        }
    }

    /// What was sent.
    pub(crate) fn read(fields: &Fields) -> Self {
        Self {
            basket: Basket::read(&fields.text("basket")),
            key: fields.text("key"),
            name: fields.text("name"),
            street: fields.text("street"),
            city: fields.text("city"),
            postal_code: fields.text("postal_code"),
            delivery: fields.text("delivery"),
            discount: fields.get("discount").map(str::to_owned),
            payment: fields.text("payment"),
        }
    }

    /// What is missing in it or can't be, for people. The order service looks at the rest.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut want = |holds: bool, text: &str| {
            if !holds {
                faults.push(text.to_owned());
            }
        };
        want(!self.basket.lines().is_empty(), "Your basket is empty.");
        want(
            !self.key.is_empty(),
            "The form is not complete: open it again.",
        );
        want(!self.name.is_empty(), "Please tell us your name.");
        want(!self.street.is_empty(), "Please tell us street and number.");
        want(!self.city.is_empty(), "Please tell us the city.");
        want(
            !self.postal_code.is_empty(),
            "Please tell us the postal code.",
        );
        want(self.way().is_some(), "Please choose how we send it.");
        let known = PAYMENTS.iter().any(|(token, _)| *token == self.payment);
        want(known, "Please choose how you pay.");
        faults
    }

    /// Country and way of shipping.
    fn way(&self) -> Option<(&str, &str)> {
        self.delivery.split_once(' ')
    }

    /// The order that it asks for.
    pub(crate) fn order(&self, region: &str, currency: &str) -> NewOrder {
        let (country, service) = self.way().unwrap_or_default();
        let line = |line: &Line| NewLine {
            sku: line.sku.clone(),
            quantity: line.quantity,
        };
        NewOrder {
            currency: currency.to_owned(),
            region: Some(region.to_owned()),
            lines: self.basket.lines().iter().map(line).collect(),
            discount: self.discount.clone(),
            address: Some(Address {
                name: self.name.clone(),
                street: self.street.clone(),
                city: self.city.clone(),
                postal_code: self.postal_code.clone(),
                country: country.to_owned(),
            }),
            shipping: Some(service.to_owned()),
            payment: Some(self.payment.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Request;

    fn form(text: &str) -> Form {
        let request = Request {
            body: text.as_bytes().to_vec(),
            ..Request::default()
        };
        Form::read(&request.form())
    }

    #[test]
    fn a_whole_form_is_an_order() {
        let form = form(
            "basket=p*CUP*2&key=k&name=Ann&street=Main+1&city=Berlin&postal_code=10115\
             &delivery=DE+express&discount=&payment=tok_ok",
        );
        assert_eq!(form.faults(), Vec::<String>::new());
        let order = form.order("eu", "EUR");
        assert_eq!((&*order.lines[0].sku, order.lines[0].quantity), ("CUP", 2));
        assert_eq!(order.shipping.as_deref(), Some("express"));
        assert_eq!(order.address.unwrap().country, "DE");
        assert_eq!(order.discount, None);
        assert_eq!(order.payment.as_deref(), Some("tok_ok"));
    }

    #[test]
    fn all_that_is_missing_is_said_at_once() {
        assert_eq!(form("").faults().len(), 8);
        let faults = form("basket=p*CUP*2&key=k&name=A&street=S&city=C&postal_code=1&delivery=DE+x&payment=tok_free").faults();
        assert_eq!(faults, ["Please choose how you pay."]);
    }
}
