//! From what a client wants to an order that can be written: region, prices, discount, tax
//! and the way it is sent.

use stoa_sdk::{Error, Money, Timestamp, invalid};

use crate::World;
use crate::bindings::exports::shop::order::orders::{NewOrder, Order, OrderState as State};
use crate::cart::Cart;
use crate::discount::{Discount, Discounts};
use crate::entry::Entry;
use crate::price;
use crate::region::Region;

/// How orders are paid that do not say it.
const PAYMENT_TOKEN: &str = "payment_token";

/// What is known of an order before anybody else is asked.
pub(crate) struct Draft<'a> {
    input: &'a NewOrder,
    cart: &'a Cart,
    region: Region,
    token: String,
    settings: &'a [(String, String)],
}

/// How an order is sent, and for how much.
struct Way {
    service: String,
    price: Money,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(
        input: &'a NewOrder,
        cart: &'a Cart,
        settings: &'a [(String, String)],
    ) -> Result<Self, Error> {
        let region = Region::find(settings, input.region.as_deref(), &input.currency)?;
        let country = input.address.as_ref().map(|address| &address.country);
        if let Some(country) = country.filter(|country| !region.countries.contains(country)) {
            return Err(invalid!(
                "/address/country",
                "expected one of {}, to which the region {} sends, found {country:?}",
                region.countries.join(", "),
                region.code
            ));
        }
        let usual = settings.iter().find(|(key, _)| key == PAYMENT_TOKEN);
        let token = input.payment.as_ref().or(usual.map(|(_, token)| token));
        let token = token.ok_or_else(|| {
            invalid!(
                "/payment",
                "expected the payment provider's token, found none"
            )
        })?;
        Ok(Self {
            input,
            cart,
            region,
            token: token.clone(),
            settings,
        })
    }

    /// The order as it is first written. It has claimed its use of a discount then.
    pub(crate) fn order(
        self,
        (id, customer): (&str, &str),
        world: &impl World,
        discounts: (&Discounts, impl Fn(&str) -> Result<bool, Error>),
        now: Timestamp,
    ) -> Result<Entry, Error> {
        let (mut lines, sum) = self.cart.lines(&world.find(&self.cart.skus())?)?;
        let way = self.way(world)?;
        let (uses, lives) = discounts;
        let found = Discount::find(self.settings, self.input.discount.as_deref(), &sum)?;
        let discount = uses.claim(found, id, now, lives)?;
        let (off, shipping) = (
            discount.as_ref().map(|found| &found.off),
            way.as_ref().map(|way| &way.price),
        );
        let tax = self.region.tax();
        let priced = price::price(&mut lines, off, shipping, tax, &self.cart.currency);
        let discount_code = discount.map(|found| found.code);
        let priced = priced.or_else(|fault| {
            if let Some(code) = &discount_code {
                uses.release(code, id)?;
            }
            Err(fault)
        })?;
        let (shipping_service, shipping) = way.map(|way| (way.service, way.price)).unzip();
        let order = Order {
            id: id.to_owned(),
            customer: Some(customer.to_owned()),
            state: State::Pending,
            region: Some(self.region.code),
            lines,
            discount_code,
            discount: priced.discount,
            shipping,
            shipping_service,
            address: self.input.address.clone(),
            tax: priced.tax,
            tax_included: tax.map(|tax| tax.included),
            total: priced.total,
            refunded: None,
            action_url: None,
            tracking: None,
            reason: None,
            created_at: now.to_string(),
            updated_at: now.to_string(),
            version: 1,
        };
        Ok(Entry {
            order,
            token: Some(self.token),
            locations: Some(self.region.locations),
            refused: false,
            sent: false,
            returns: Vec::new(),
        })
    }

    /// The way that the client wants, or the cheapest one.
    fn way(&self, world: &impl World) -> Result<Option<Way>, Error> {
        let wanted = self.input.shipping.as_deref();
        let Some(address) = &self.input.address else {
            return match wanted {
                Some(_) => Err(invalid!(
                    "/address",
                    "expected where it goes to, found nothing"
                )),
                None => Ok(None),
            };
        };
        let (country, currency) = (&address.country, &self.cart.currency);
        let quotes = world.quote(country, currency, self.cart.units())?;
        let names: Vec<_> = quotes.iter().map(|quote| quote.service.clone()).collect();
        let found = quotes
            .into_iter()
            .find(|quote| wanted.is_none_or(|wanted| wanted == quote.service));
        let found = found.ok_or_else(|| {
            let names = names.join(", ");
            invalid!(
                "/shipping",
                "expected one of {names}, found {:?}",
                wanted.unwrap_or_default()
            )
        })?;
        Ok(Some(Way {
            service: found.service,
            price: found.price,
        }))
    }
}
