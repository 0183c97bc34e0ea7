//! Discounts: rules that an operator sets as JSON in `discount.CODE`, and who used them.
//!
//! A use is claimed before its order is written, by the order's id, so that a limit holds
//! whoever orders at the same time, and who gives a use back gives back its own only. A claim
//! whose order was never written is taken over when its time is over.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stoa_sdk::{Bucket, Change, Error, Money, Timestamp, config, conflict, invalid};

use crate::price::Off;

/// Longer than a call may last: who claimed a use so long ago and wrote no order is gone.
const GRACE: Duration = Duration::from_secs(60);

/// Uses that are counted: they are kept in one value.
const MOST_USES: u32 = 10_000;

/// What makes orders cheaper.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Discount {
    /// Its code, from the setting's name.
    #[serde(skip)]
    pub(crate) code: String,
    pub(crate) off: Off,
    /// Orders that may use it; no limit if it is not set.
    #[serde(default)]
    limit: Option<u32>,
    /// Whether orders get it that name no code.
    #[serde(default)]
    automatic: bool,
    /// The least that the lines must come to, in minor units.
    #[serde(default)]
    minimum: i64,
}

/// Orders that use a discount, and since when.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Uses(BTreeMap<String, Timestamp>);

impl Discount {
    /// The discount that an order names, or the first that needs no naming and fits it.
    ///
    /// # Errors
    /// When the named one is none, or does not fit.
    pub(crate) fn find(
        settings: &[(String, String)],
        named: Option<&str>,
        lines: &Money,
    ) -> Result<Vec<Self>, Error> {
        let mut all = Vec::new();
        for (key, text) in settings {
            let Some(code) = key.strip_prefix("discount.") else {
                continue;
            };
            if named.is_none_or(|named| named == code) {
                all.push(Self {
                    code: code.to_owned(),
                    ..config::from_json(key, text)?
                });
            }
        }
        let Some(named) = named else {
            all.retain(|found| found.automatic && found.misfit(lines).is_none());
            all.sort_by(|a, b| a.code.cmp(&b.code));
            return Ok(all);
        };
        let found = all.pop();
        let found = found.ok_or_else(|| invalid!("/discount", "there is no discount {named:?}"))?;
        match found.misfit(lines) {
            Some(why) => Err(invalid!("/discount", "{named:?} {why}")),
            None => Ok(vec![found]),
        }
    }

    fn misfit(&self, lines: &Money) -> Option<String> {
        if lines.minor < self.minimum {
            let minimum = Money {
                minor: self.minimum,
                ..lines.clone()
            };
            return Some(format!("is for orders of {minimum} or more, found {lines}"));
        }
        match &self.off {
            Off::Amount { currency, .. } if *currency != lines.currency => Some(format!(
                "is for orders in {currency}, found {}",
                lines.currency
            )),
            _ => None,
        }
    }
}

/// Who uses which discount.
pub(crate) struct Discounts(pub(crate) Bucket<Uses>);

impl Discounts {
    /// Has an order use the first of some discounts that is not used up; `None` where there
    /// was none to begin with. `lives` says whether an order is there.
    ///
    /// # Errors
    /// Conflict when all are used up and the order named one.
    pub(crate) fn claim(
        &self,
        found: Vec<Discount>,
        order: &str,
        now: Timestamp,
        lives: impl Fn(&str) -> Result<bool, Error>,
    ) -> Result<Option<Discount>, Error> {
        for discount in found {
            match self.use_one(&discount, order, now, &lives)? {
                true => return Ok(Some(discount)),
                false if discount.automatic => {}
                false => return Err(conflict!("the discount {:?} is used up", discount.code)),
            }
        }
        Ok(None)
    }

    /// Gives an order's use back, if it has one.
    pub(crate) fn release(&self, code: &str, order: &str) -> Result<(), Error> {
        self.0.update_if(code, |uses| {
            let mut uses = uses.unwrap_or_default();
            Ok::<_, Error>(match uses.0.remove(order) {
                Some(_) => Change::Write(uses),
                None => Change::Leave(uses),
            })
        })?;
        Ok(())
    }

    fn use_one(
        &self,
        discount: &Discount,
        order: &str,
        now: Timestamp,
        lives: impl Fn(&str) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        let Some(limit) = discount.limit else {
            return Ok(true);
        };
        let limit = limit.min(MOST_USES) as usize;
        let uses = self.0.update_if(&discount.code, |uses| {
            let mut uses = uses.unwrap_or_default();
            if uses.0.contains_key(order) {
                return Ok(Change::Leave(uses));
            }
            if uses.0.len() >= limit {
                let old = uses.0.iter().filter(|(_, since)| **since + GRACE <= now);
                let old: Vec<String> = old.map(|(order, _)| order.clone()).collect();
                for order in old {
                    if !lives(&order)? {
                        uses.0.remove(&order);
                    }
                }
            }
            if uses.0.len() >= limit {
                return Ok(Change::Leave(uses));
            }
            uses.0.insert(order.to_owned(), now);
            Ok::<_, Error>(Change::Write(uses))
        })?;
        Ok(uses.0.contains_key(order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn euros(minor: i64) -> Money {
        Money {
            minor,
            currency: "EUR".into(),
        }
    }

    fn settings() -> Vec<(String, String)> {
        [
            (
                "discount.TEN",
                r#"{"off": {"percent_bp": 1000}, "limit": 1}"#,
            ),
            (
                "discount.AUTUMN",
                r#"{"off": {"percent_bp": 500}, "limit": 2, "automatic": true, "minimum": 1000}"#,
            ),
            (
                "discount.FIVER",
                r#"{"off": {"amount": {"minor": 500, "currency": "USD"}}}"#,
            ),
            ("region.eu", "{}"),
        ]
        .map(|(key, text)| (key.to_owned(), text.to_owned()))
        .to_vec()
    }

    fn found(named: Option<&str>, minor: i64) -> Result<Vec<String>, Error> {
        let found = Discount::find(&settings(), named, &euros(minor))?;
        Ok(found.into_iter().map(|found| found.code).collect())
    }

    #[test]
    fn a_discount_is_named_or_given_to_all_that_it_fits() {
        assert_eq!(found(Some("TEN"), 1).unwrap(), ["TEN"]);
        assert_eq!(found(None, 1000).unwrap(), ["AUTUMN"]);
        assert_eq!(found(None, 999).unwrap(), [""; 0]);
        for (named, expected) in [
            ("NONE", "there is no discount"),
            ("FIVER", "is for orders in USD, found EUR"),
            (
                "AUTUMN",
                "is for orders of 10.00 EUR or more, found 0.01 EUR",
            ),
        ] {
            let text = format!("{:?}", found(Some(named), 1).unwrap_err());
            assert!(text.contains(expected), "{text}");
        }
    }

    fn claim(
        uses: &Discounts,
        named: Option<&str>,
        order: &str,
        now: Timestamp,
    ) -> Result<Option<String>, Error> {
        let found = Discount::find(&settings(), named, &euros(5000))?;
        let claimed = uses.claim(found, order, now, |order| Ok(order.starts_with("there")))?;
        Ok(claimed.map(|claimed| claimed.code))
    }

    /// saleor#544, magento2#31798: one use, many clients; who loses gives nothing of the
    /// winner's back.
    #[test]
    fn a_limit_holds_for_a_crowd_and_a_loser_takes_nothing_from_the_winner() {
        let uses = Discounts(Bucket::in_memory());
        let won: Vec<bool> = std::thread::scope(|threads| {
            let uses = &uses;
            let buy = move |n: usize| {
                let order = format!("there{n}");
                let won = claim(uses, Some("TEN"), &order, NOW).is_ok();
                if !won {
                    uses.release("TEN", &order).unwrap();
                }
                won
            };
            let all: Vec<_> = (0..32).map(|n| threads.spawn(move || buy(n))).collect();
            all.into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        let late = claim(&uses, Some("TEN"), "late", NOW + GRACE);
        assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
    }

    /// vendure#4353: the limit of a discount that is given without a code.
    #[test]
    fn what_is_given_without_a_code_has_its_limit_too() {
        let uses = Discounts(Bucket::in_memory());
        let claimed = |order| claim(&uses, None, order, NOW).unwrap();
        for order in ["there1", "there2", "there1"] {
            assert_eq!(claimed(order).as_deref(), Some("AUTUMN"));
        }
        assert_eq!(claimed("there3"), None, "it costs its price");
        uses.release("AUTUMN", "there1").unwrap();
        assert_eq!(claimed("there3").as_deref(), Some("AUTUMN"));
    }

    #[test]
    fn a_claim_without_an_order_is_taken_over_in_time() {
        let uses = Discounts(Bucket::in_memory());
        claim(&uses, Some("TEN"), "lost", NOW).unwrap();
        assert!(
            claim(&uses, Some("TEN"), "there1", NOW).is_err(),
            "it may come"
        );
        let claimed = claim(&uses, Some("TEN"), "there1", NOW + GRACE).unwrap();
        assert_eq!(claimed.as_deref(), Some("TEN"));
        assert!(claim(&uses, Some("TEN"), "there2", NOW + GRACE * 3).is_err());
    }
}
