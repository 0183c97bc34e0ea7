//! A payment as it is kept, and what an event makes of it. Pure.

use serde::{Deserialize, Serialize};
use stoa_sdk::{Error, Money, MoneyError, Timestamp, conflict, invalid};

use crate::Answer;
use crate::bindings::exports::shop::payment::payments::{
    MoneyBack, Payment, PaymentState as State,
};
use crate::event::{Event, Happening};
use crate::state::{illegal, is_open, name, was_captured};

/// Ids of events that are kept: more than a provider sends of one payment.
const EVENTS: usize = 32;

/// What was voided before it was known has no amount: ISO 4217, "no currency".
const NO_CURRENCY: &str = "XXX";

/// A payment, and what was heard of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub(crate) payment: Payment,
    /// When the newest event happened that changed it, in seconds since 1970 by the
    /// provider's clock.
    latest: Option<i64>,
    /// Ids of the events that changed it, the newest last.
    events: Vec<String>,
}

/// Why an event changes nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unheard {
    /// It is known, or overtaken.
    Old,
    /// It can't be, by what is known.
    Contradiction(String),
}

impl Record {
    /// A payment that nothing was said of yet.
    fn begun(order: &str, amount: &Money, now: Timestamp) -> Self {
        let payment = Payment {
            id: order.to_owned(),
            state: State::RequiresAction,
            amount: amount.clone(),
            refunded: Money {
                minor: 0,
                currency: amount.currency.clone(),
            },
            refunds: Vec::new(),
            reason: None,
            action_url: None,
            created_at: now.to_string(),
            updated_at: now.to_string(),
            version: 0,
        };
        Self {
            payment,
            latest: None,
            events: Vec::new(),
        }
    }

    /// What the provider answered to the first authorization.
    pub(crate) fn answered(order: &str, amount: &Money, answer: &Answer, now: Timestamp) -> Self {
        Self::begun(order, amount, now).follow(answer, now)
    }

    /// A payment that was called off before it was known.
    pub(crate) fn never(order: &str, reason: &str, now: Timestamp) -> Self {
        let nothing = Money {
            minor: 0,
            currency: NO_CURRENCY.into(),
        };
        Self::begun(order, &nothing, now).ended(State::Voided, reason, now)
    }

    /// Follows what the provider says of an authorization.
    pub(crate) fn follow(self, answer: &Answer, now: Timestamp) -> Self {
        match answer {
            Answer::Authorized => self.to(State::Authorized, now),
            Answer::Declined { reason } => self.ended(State::Failed, reason, now),
            Answer::RequiresAction { url } => {
                let mut record = self.to(State::RequiresAction, now);
                record.payment.action_url = Some(url.clone());
                record
            }
        }
    }

    /// The next version of it, in this state.
    pub(crate) fn to(mut self, state: State, now: Timestamp) -> Self {
        let payment = &mut self.payment;
        payment.state = state;
        // It is of use in one state only.
        payment.action_url = None;
        payment.version += 1;
        payment.updated_at = now.to_string();
        self
    }

    /// … for this reason.
    pub(crate) fn ended(self, state: State, reason: &str, now: Timestamp) -> Self {
        let mut record = self.to(state, now);
        record.payment.reason = Some(reason.to_owned());
        record
    }

    /// Conflict when it is of another amount.
    pub(crate) fn expect_amount(&self, amount: &Money) -> Result<(), Error> {
        let Payment {
            id, amount: own, ..
        } = &self.payment;
        if own == amount {
            return Ok(());
        }
        Err(conflict!(
            "order {id} has a payment of {own}: expected that amount, found {amount}"
        ))
    }

    /// With money given back; `None` if it was by a refund of this id.
    pub(crate) fn refund(
        &self,
        id: &str,
        amount: &Money,
        now: Timestamp,
    ) -> Result<Option<Self>, Error> {
        let payment = &self.payment;
        let order = &payment.id;
        if let Some(known) = payment.refunds.iter().find(|known| known.id == id) {
            return match known.amount == *amount {
                true => Ok(None),
                false => Err(conflict!(
                    "refund {id} of order {order} gave back {}: it can't give back {amount}",
                    known.amount
                )),
            };
        }
        let left = payment.amount.minor - payment.refunded.minor;
        let state = match amount.minor == left {
            true => State::Refunded,
            false => State::PartiallyRefunded,
        };
        if !matches!(payment.state, State::Captured | State::PartiallyRefunded) {
            return Err(illegal(order, payment.state, state));
        }
        let refunded = payment.refunded.checked_add(amount);
        let refunded = match refunded {
            Err(fault @ MoneyError::Currencies(..)) => return Err(invalid!("/amount", "{fault}")),
            sum => sum.ok().filter(|sum| sum.minor <= payment.amount.minor),
        };
        let Some(refunded) = refunded else {
            return Err(conflict!(
                "{} of {} of order {order} was given back: {amount} more is over what was taken",
                payment.refunded,
                payment.amount
            ));
        };
        let mut record = self.clone().to(state, now);
        record.payment.refunded = refunded;
        record.payment.refunds.push(MoneyBack {
            id: id.to_owned(),
            amount: amount.clone(),
            at: now.to_string(),
        });
        Ok(Some(record))
    }

    /// What an event makes of it; an event may be the first that is known of a payment.
    /// Never goes back: what is behind it is overtaken, whenever it comes.
    pub(crate) fn hear(
        known: Option<&Self>,
        event: &Event,
        now: Timestamp,
    ) -> Result<Self, Unheard> {
        let mut heard = match (known, &event.what, &event.amount) {
            (Some(known), ..) => known.heard(event, now)?,
            (None, _, None) => return Err(Unheard::Old),
            (None, Happening::RequiresAction { url }, Some(amount)) => {
                let url = url.clone();
                let answer = Answer::RequiresAction { url };
                Self::answered(&event.order, amount, &answer, now)
            }
            (None, _, Some(amount)) => Self::begun(&event.order, amount, now).heard(event, now)?,
        };
        heard.payment.version = 1 + known.map_or(0, |known| known.payment.version);
        heard.latest = heard.latest.max(Some(event.created));
        heard.events.push(event.id.clone());
        let surplus = heard.events.len().saturating_sub(EVENTS);
        heard.events.drain(..surplus);
        Ok(heard)
    }

    fn heard(&self, event: &Event, now: Timestamp) -> Result<Self, Unheard> {
        let state = self.payment.state;
        if self.events.contains(&event.id) {
            return Err(Unheard::Old);
        }
        if matches!(state, State::Failed | State::Voided) {
            return match &event.what {
                Happening::Captured | Happening::Refunded { .. } => {
                    let told = format!("the payment is {} and its money was taken", name(state));
                    Err(Unheard::Contradiction(told))
                }
                _ => Err(Unheard::Old),
            };
        }
        let told = event.amount.as_ref();
        if let Some(other) = told.filter(|told| **told != self.payment.amount) {
            let told = format!("the payment is of {}, not of {other}", self.payment.amount);
            return Err(Unheard::Contradiction(told));
        }
        let newest = self.latest.is_none_or(|latest| latest <= event.created);
        match &event.what {
            Happening::Authorized if state == State::RequiresAction => {
                Ok(self.clone().to(State::Authorized, now))
            }
            Happening::Captured if is_open(state) => Ok(self.clone().to(State::Captured, now)),
            Happening::Failed { reason } if is_open(state) && newest => {
                Ok(self.clone().ended(State::Failed, reason, now))
            }
            Happening::Voided { reason } if is_open(state) && newest => {
                Ok(self.clone().ended(State::Voided, reason, now))
            }
            Happening::Refunded { id, amount } => {
                // The event of its capture is still on its way.
                let taken = match was_captured(state) {
                    true => self.clone(),
                    false => self.clone().to(State::Captured, now),
                };
                let refunded = taken.refund(id, amount, now);
                refunded
                    .map_err(|fault| Unheard::Contradiction(format!("{fault:?}")))?
                    .ok_or(Unheard::Old)
            }
            _ => Err(Unheard::Old),
        }
    }
}
