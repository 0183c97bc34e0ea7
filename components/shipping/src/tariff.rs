//! What shipping costs, as an operator sets it: JSON in the setting `zones`. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use stoa_sdk::{Error, Money, MoneyError, Violations, currency, invalid};

use crate::bindings::exports::shop::shipping::carriers::ShippingQuote;

/// Units that one shipment may have.
pub(crate) const MOST_UNITS: u32 = 10_000;

/// Where the carrier goes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Tariff {
    zones: Vec<Zone>,
}

/// Countries that cost the same. A country is of the first zone that names it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// ISO 3166 codes.
    pub countries: Vec<String>,
    /// Ways of shipping to them.
    pub services: Vec<Service>,
}

/// A way of shipping.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// `standard`, `express`.
    pub name: String,
    /// Working days until it is there.
    pub days: u32,
    /// By currency.
    pub prices: BTreeMap<String, Price>,
}

/// A price by units, in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For one unit.
    pub first: i64,
    /// For each further one.
    pub further: i64,
}

impl Tariff {
    /// The ways of shipping so many units to a country, cheapest first, the faster one
    /// first where they cost the same.
    ///
    /// # Errors
    /// Invalid, with all that is wrong; where none goes there, and where none is priced in
    /// that currency.
    pub fn quote(
        &self,
        country: &str,
        code: &str,
        units: u32,
    ) -> Result<Vec<ShippingQuote>, Error> {
        let mut faults = Violations::default();
        let zone = self.zone(country);
        faults.expect(zone.is_some(), "/country", || nowhere(country));
        faults.expect(currency::exponent(code).is_some(), "/currency", || {
            MoneyError::Currency(code.to_owned()).to_string()
        });
        check_units(units, &mut faults);
        faults.check()?;
        let services = zone.into_iter().flat_map(|zone| &zone.services);
        let mut quotes = services
            .filter_map(|service| Some(service.quote(code, units, service.prices.get(code)?)))
            .collect::<Result<Vec<_>, _>>()?;
        if quotes.is_empty() {
            return Err(invalid!(
                "/currency",
                "expected a currency that shipping to {country} is priced in, found {code}"
            ));
        }
        quotes.sort_by_key(|quote| (quote.price.minor, quote.days));
        Ok(quotes)
    }

    /// Notes what is wrong with sending units to a country by a service.
    pub(crate) fn check(
        &self,
        (country, service, units): (&str, &str, u32),
        faults: &mut Violations,
    ) {
        check_units(units, faults);
        let Some(zone) = self.zone(country) else {
            faults.expect(false, "/to/country", || nowhere(country));
            return;
        };
        let names: Vec<_> = zone.services.iter().map(|one| one.name.as_str()).collect();
        faults.expect(names.contains(&service), "/service", || {
            let names = names.join(", ");
            format!("expected a way of shipping to {country} ({names}), found {service:?}")
        });
    }

    fn zone(&self, country: &str) -> Option<&Zone> {
        let names = |zone: &&Zone| zone.countries.iter().any(|one| one == country);
        self.zones.iter().find(names)
    }
}

impl Service {
    fn quote(&self, code: &str, units: u32, price: &Price) -> Result<ShippingQuote, Error> {
        let money = |minor| Money::new(minor, code);
        let price = money(price.further)
            .and_then(|each| each.checked_mul(i64::from(units) - 1))
            .and_then(|further| money(price.first)?.checked_add(&further))
            .map_err(|fault| invalid!("/units", "{fault}"))?;
        Ok(ShippingQuote {
            service: self.name.clone(),
            price,
            days: self.days,
        })
    }
}

fn check_units(units: u32, faults: &mut Violations) {
    faults.expect((1..=MOST_UNITS).contains(&units), "/units", || {
        format!("expected 1 to {MOST_UNITS}, found {units}")
    });
}

fn nowhere(country: &str) -> String {
    format!("expected a country that the carrier goes to (ISO 3166, such as DE), found {country:?}")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Germany at two prices, its neighbours, and one zone in dollars alone.
    pub(crate) fn tariff() -> Tariff {
        let text = r#"[
            {"countries": ["DE"], "services": [
                {"name": "express", "days": 1, "prices": {"EUR": {"first": 1290, "further": 250}}},
                {"name": "standard", "days": 3, "prices": {"EUR": {"first": 490, "further": 100}, "JPY": {"first": 700, "further": 0}}}
            ]},
            {"countries": ["FR", "DE"], "services": [
                {"name": "slow", "days": 9, "prices": {"EUR": {"first": 900, "further": 0}}},
                {"name": "standard", "days": 4, "prices": {"EUR": {"first": 900, "further": 0}}}
            ]},
            {"countries": ["US"], "services": [
                {"name": "ground", "days": 5, "prices": {"USD": {"first": 600, "further": 50}}}
            ]}
        ]"#;
        serde_json::from_str(text).unwrap()
    }

    fn quoted(country: &str, code: &str, units: u32) -> Vec<(String, String, u32)> {
        let quotes = tariff().quote(country, code, units).unwrap().into_iter();
        quotes
            .map(|quote| (quote.service, quote.price.to_string(), quote.days))
            .collect()
    }

    #[test]
    fn the_cheapest_is_first() {
        let of = |name: &str, price: &str, days| (name.to_owned(), price.to_owned(), days);
        assert_eq!(
            quoted("DE", "EUR", 1),
            [of("standard", "4.90 EUR", 3), of("express", "12.90 EUR", 1)]
        );
        assert_eq!(
            quoted("DE", "EUR", 3),
            [of("standard", "6.90 EUR", 3), of("express", "17.90 EUR", 1)]
        );
        assert_eq!(quoted("DE", "JPY", 9), [of("standard", "700 JPY", 3)]);
        assert_eq!(
            quoted("FR", "EUR", 1),
            [of("standard", "9.00 EUR", 4), of("slow", "9.00 EUR", 9)]
        );
    }

    #[test]
    fn what_can_not_be_quoted_is_told_with_its_place() {
        for (country, code, units, pointers) in [
            ("MX", "EUR", 1, &["/country"][..]),
            ("de", "eur", 0, &["/country", "/currency", "/units"]),
            ("DE", "EUR", 10_001, &["/units"]),
            ("DE", "USD", 1, &["/currency"]),
        ] {
            let Err(Error::Invalid(found)) = tariff().quote(country, code, units) else {
                panic!("expected {country} {code} {units} to be refused")
            };
            let found: Vec<_> = found.iter().map(|fault| fault.pointer.as_str()).collect();
            assert_eq!(found, pointers);
        }
    }

    #[test]
    fn the_schema_takes_the_currencies_that_there_are() {
        let schema = include_str!("../config.schema.json");
        let (_, names) = schema.split_once("\"propertyNames\"").expect("a list");
        let (_, list) = names.split_once("\"enum\": [").expect("a list");
        let (list, _) = list.split_once(']').expect("an end of the list");
        let taken: Vec<_> = list
            .split(',')
            .map(|code| code.trim().trim_matches('"'))
            .collect();
        assert_eq!(taken, currency::codes().collect::<Vec<_>>());
    }
}
