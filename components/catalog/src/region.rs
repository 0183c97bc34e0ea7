//! Regions, as an operator sets them: JSON in the settings `region.CODE`.

use serde::Deserialize;
use stoa_sdk::{Error, config, not_found};

use crate::bindings::exports::shop::catalog::catalog::RegionInfo;

/// A part of the world that the shop sells to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Its code, from the setting's name.
    #[serde(skip)]
    pub code: String,
    /// ISO 4217 code.
    pub currency: String,
    /// ISO 3166 codes.
    pub countries: Vec<String>,
    /// BCP 47 tags, the preferred one first.
    pub languages: Vec<String>,
    /// Whether prices include tax.
    pub tax_inclusive: bool,
    /// Stock locations that send to it.
    pub locations: Vec<String>,
}

impl Region {
    /// The region of a code, from the setting's text.
    pub fn named(
        code: &str,
        setting: impl Fn(&str) -> Result<Option<String>, Error>,
    ) -> Result<Self, Error> {
        let key = format!("region.{code}");
        let text = setting(&key)?.ok_or_else(|| not_found!("there is no region {code:?}"))?;
        let region: Self = config::from_json(&key, &text)?;
        Ok(Self {
            code: code.to_owned(),
            ..region
        })
    }

    /// As the contract shows it.
    pub(crate) fn info(&self) -> RegionInfo {
        RegionInfo {
            code: self.code.clone(),
            currency: self.currency.clone(),
            countries: self.countries.clone(),
            languages: self.languages.clone(),
            tax_inclusive: self.tax_inclusive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_takes_the_currencies_that_there_are() {
        let schema = include_str!("../config.schema.json");
        let (_, list) = schema.split_once("\"enum\": [").expect("a list");
        let (list, _) = list.split_once(']').expect("an end of the list");
        let taken: Vec<_> = list
            .split(',')
            .map(|code| code.trim().trim_matches('"'))
            .collect();
        assert_eq!(taken, stoa_sdk::currency::codes().collect::<Vec<_>>());
    }

    #[test]
    fn settings_name_regions() {
        let settings = |key: &str| {
            match key {
            "region.eu" => Ok(Some(
                r#"{"currency":"EUR","countries":["DE"],"languages":["de"],"tax_inclusive":true,"locations":["berlin"]}"#.into(),
            )),
            "region.xx" => Ok(Some(r#"{"currency":"EUR"}"#.into())),
            _ => Ok(None),
        }
        };
        let eu = Region::named("eu", settings).unwrap();
        assert_eq!(
            (eu.code.as_str(), eu.info().currency.as_str()),
            ("eu", "EUR")
        );
        assert!(matches!(
            Region::named("us", settings),
            Err(Error::NotFound(_))
        ));
        assert!(matches!(
            Region::named("xx", settings),
            Err(Error::Unavailable(_))
        ));
    }
}
