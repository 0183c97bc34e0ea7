//! What a provider tells: JSON as Stripe's events are, of this shop's own kinds.
//!
//! ```json
//! {
//!   "id": "evt_1", "type": "payment.refunded", "created": 1800000000,
//!   "data": {
//!     "order_id": "…", "amount": { "minor": 1290, "currency": "EUR" },
//!     "refund": { "id": "re_1", "amount": { "minor": 290, "currency": "EUR" } }
//!   }
//! }
//! ```
//!
//! `data.reason` goes with `payment.failed` and `payment.voided`, `data.action_url` with
//! `payment.requires_action`. Fields that are not known are left alone: providers add some.

use serde::Deserialize;
use stoa_sdk::Money;

use crate::payments::LONGEST_ID;

/// Something that happened to a payment.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// `payment.requires_action`
    RequiresAction {
        /// Where the customer confirms it.
        url: String,
    },
    /// `payment.authorized`
    Authorized,
    /// `payment.captured`
    Captured,
    /// `payment.refunded`
    Refunded {
        /// The refund's id.
        id: String,
        /// What was given back by it.
        amount: Money,
    },
    /// `payment.failed`
    Failed {
        /// Why.
        reason: String,
    },
    /// `payment.voided`
    Voided {
        /// Why.
        reason: String,
    },
}

/// An event of the provider.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    /// The same for each time that it is sent.
    pub(crate) id: String,
    /// When it happened, in seconds since 1970 by the provider's clock.
    pub(crate) created: i64,
    pub(crate) order: String,
    /// Of the whole payment, if it says so.
    pub(crate) amount: Option<Money>,
    pub(crate) what: Happening,
}

#[derive(Deserialize)]
struct Wire {
    id: String,
    r#type: String,
    created: i64,
    data: serde_json::Value,
}

#[derive(Deserialize)]
struct Data {
    order_id: String,
    amount: Option<Money>,
    refund: Option<Refund>,
    reason: Option<String>,
    action_url: Option<String>,
}

#[derive(Deserialize)]
struct Refund {
    id: String,
    amount: Money,
}

impl Event {
    /// Reads an event; `None` of a kind that is about something else.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub(crate) fn read(body: &[u8]) -> Result<Option<Self>, String> {
        let wire: Wire = serde_json::from_slice(body).map_err(|fault| fault.to_string())?;
        let Some(kind) = wire.r#type.strip_prefix("payment.") else {
            return Ok(None);
        };
        let lacks = |field: &str| format!("payment.{kind} lacks data.{field}");
        let data: Data = serde_json::from_value(wire.data).map_err(|fault| fault.to_string())?;
        let reason = || data.reason.clone().unwrap_or_else(|| "none given".into());
        let what = match kind {
            "requires_action" => Happening::RequiresAction {
                url: data.action_url.ok_or_else(|| lacks("action_url"))?,
            },
            "authorized" => Happening::Authorized,
            "captured" => Happening::Captured,
            "refunded" => {
                let Refund { id, amount } = data.refund.ok_or_else(|| lacks("refund"))?;
                if amount.minor <= 0 {
                    return Err(format!("expected a refund above 0, found {amount}"));
                }
                Happening::Refunded { id, amount }
            }
            "failed" => Happening::Failed { reason: reason() },
            "voided" => Happening::Voided { reason: reason() },
            _ => return Ok(None),
        };
        if data.amount.as_ref().is_some_and(|amount| amount.minor < 0) {
            return Err("expected an amount of 0 or more".into());
        }
        let length = data.order_id.chars().count();
        if !(1..=LONGEST_ID).contains(&length) {
            return Err(format!(
                "expected an order_id of 1 to {LONGEST_ID} characters, found {length}"
            ));
        }
        Ok(Some(Self {
            id: wire.id,
            created: wire.created,
            order: data.order_id,
            amount: data.amount,
            what,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, data: &str) -> Result<Option<Event>, String> {
        let text = format!(
            r#"{{"id":"evt_1","type":"{kind}","created":7,"object":"event","data":{data}}}"#
        );
        Event::read(text.as_bytes())
    }

    #[test]
    fn each_kind_has_what_it_needs() {
        let of = |kind, data| read(kind, data).unwrap().unwrap();
        let event = of("payment.authorized", r#"{"order_id":"o","more":1}"#);
        assert_eq!((event.order.as_str(), event.created), ("o", 7));
        assert_eq!((event.what, event.amount), (Happening::Authorized, None));
        let data = r#"{"order_id":"o","amount":{"minor":9,"currency":"EUR"},"refund":{"id":"r","amount":{"minor":2,"currency":"EUR"}}}"#;
        let event = of("payment.refunded", data);
        let euros = |minor| Money::new(minor, "EUR").unwrap();
        let amount = euros(2);
        let id = "r".to_owned();
        assert_eq!(event.what, Happening::Refunded { id, amount });
        assert_eq!(event.amount, Some(euros(9)));
        let event = of("payment.failed", r#"{"order_id":"o","reason":"stolen"}"#);
        let reason = "stolen".to_owned();
        assert_eq!(event.what, Happening::Failed { reason });
    }

    #[test]
    fn what_is_about_something_else_is_none() {
        assert_eq!(read("invoice.paid", r#"{"invoice":1}"#), Ok(None));
        assert_eq!(read("payment.disputed", r#"{"order_id":"o"}"#), Ok(None));
    }

    #[test]
    fn what_lacks_a_part_is_told() {
        for (kind, data, told) in [
            ("payment.authorized", "{}", "order_id"),
            ("payment.authorized", r#"{"order_id":""}"#, "found 0"),
            (
                "payment.requires_action",
                r#"{"order_id":"o"}"#,
                "data.action_url",
            ),
            ("payment.refunded", r#"{"order_id":"o"}"#, "data.refund"),
            (
                "payment.refunded",
                r#"{"order_id":"o","refund":{"id":"r","amount":{"minor":0,"currency":"EUR"}}}"#,
                "above 0",
            ),
            (
                "payment.authorized",
                r#"{"order_id":"o","amount":{"minor":-1,"currency":"EUR"}}"#,
                "0 or more",
            ),
        ] {
            let fault = read(kind, data).unwrap_err();
            assert!(fault.contains(told), "{fault}");
        }
        assert!(Event::read(b"[]").is_err() && Event::read(b"\xff").is_err());
    }
}
