//! Regions, as an operator sets them: JSON in the settings `region.CODE`.

use serde::Deserialize;
use stoa_sdk::{Error, config, invalid};

use crate::price::{Rounding, Tax};

/// A part of the world that the shop sells to, as far as orders have to know it. The rest
/// of the setting is the catalog's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Region {
    /// Its code, from the setting's name.
    #[serde(skip)]
    pub(crate) code: String,
    /// ISO 4217 code.
    pub(crate) currency: String,
    /// ISO 3166 codes.
    pub(crate) countries: Vec<String>,
    /// Whether prices include tax.
    pub(crate) tax_inclusive: bool,
    /// Basis points: 1900 is 19 %. No tax if it is not set.
    #[serde(default)]
    tax_bp: Option<u32>,
    #[serde(default)]
    tax_rounding: Rounding,
    /// Stock locations that send to it.
    pub(crate) locations: Vec<String>,
}

impl Region {
    /// The region that an order names, or the first one of its currency.
    pub(crate) fn find(
        settings: &[(String, String)],
        named: Option<&str>,
        currency: &str,
    ) -> Result<Self, Error> {
        let mut regions = Vec::new();
        for (key, text) in settings {
            let Some(code) = key.strip_prefix("region.") else {
                continue;
            };
            regions.push(Self {
                code: code.to_owned(),
                ..config::from_json(key, text)?
            });
        }
        regions.sort_by(|a, b| a.code.cmp(&b.code));
        let codes: Vec<_> = regions.iter().map(|region| region.code.clone()).collect();
        let Some(named) = named else {
            let region = regions
                .into_iter()
                .find(|region| region.currency == currency);
            return region.ok_or_else(|| {
                invalid!(
                    "/currency",
                    "expected a currency that the shop sells in, found {currency:?}"
                )
            });
        };
        let region = regions.into_iter().find(|region| region.code == named);
        let region = region.ok_or_else(|| {
            invalid!(
                "/region",
                "expected one of {}, found {named:?}",
                codes.join(", ")
            )
        })?;
        match region.currency == currency {
            true => Ok(region),
            false => Err(invalid!(
                "/currency",
                "expected {}, in which the region {named} pays, found {currency:?}",
                region.currency
            )),
        }
    }

    /// The tax of this region.
    pub(crate) fn tax(&self) -> Option<Tax> {
        Some(Tax {
            bp: self.tax_bp?,
            included: self.tax_inclusive,
            rounding: self.tax_rounding,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Vec<(String, String)> {
        let region = |code: &str, currency: &str, tax: &str| {
            let text = format!(
                r#"{{"currency": "{currency}", "countries": ["DE"], "languages": ["de"],
                "tax_inclusive": true, "locations": ["berlin"]{tax}}}"#
            );
            (format!("region.{code}"), text)
        };
        vec![
            region("us", "USD", ""),
            region(
                "north",
                "EUR",
                r#", "tax_bp": 1900, "tax_rounding": "order""#,
            ),
            region("eu", "EUR", ""),
            ("payment_token".into(), "tok_ok".into()),
        ]
    }

    #[test]
    fn an_order_names_its_region_or_its_currency_does() {
        let find = |named, currency| Region::find(&settings(), named, currency);
        let code = |named, currency| find(named, currency).unwrap().code;
        assert_eq!(code(None, "EUR"), "eu", "the first by its code");
        assert_eq!(code(Some("north"), "EUR"), "north");
        for (named, currency, expected) in [
            (Some("mars"), "EUR", "expected one of eu, north, us"),
            (Some("us"), "EUR", "expected USD"),
            (None, "GBP", "a currency that the shop sells in"),
        ] {
            let text = format!("{:?}", find(named, currency).unwrap_err());
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_region_has_tax_where_a_rate_is_set() {
        let find = |named| Region::find(&settings(), Some(named), "EUR").unwrap();
        assert_eq!(find("eu").tax(), None);
        let expected = Tax {
            bp: 1900,
            included: true,
            rounding: Rounding::Order,
        };
        assert_eq!(find("north").tax(), Some(expected));
    }
}
