//! Payments: one key each, which follows what the provider has.
//!
//! Each step asks the provider first, which decides and can be asked again, and then
//! changes the record by compare-and-swap, forward only. So two calls at once have one
//! outcome, and what a crash cut off between the two is made good by whoever asks again,
//! or by the provider's own word (`webhooks`).

use stoa_sdk::{Bucket, Change, Error, Money, Timestamp, Violations, not_found};

use crate::bindings::exports::shop::payment::payments::{Payment, PaymentState as State};
use crate::record::Record;
use crate::state::{illegal, is_open, was_captured};
use crate::{Changes, Provider};

/// Characters of an id at most.
pub(crate) const LONGEST_ID: usize = 64;
/// Characters that are kept of why a payment was called off.
const LONGEST_REASON: usize = 500;

/// The payments of the shop.
pub struct Payments<P, C> {
    pub(crate) records: Bucket<Record>,
    pub(crate) provider: P,
    pub(crate) changes: C,
}

impl<P: Provider, C: Changes> Payments<P, C> {
    /// Payments in this bucket, by a provider.
    pub fn new(records: Bucket<Record>, provider: P, changes: C) -> Self {
        Self {
            records,
            provider,
            changes,
        }
    }

    /// Sets money aside for an order.
    pub fn authorize(
        &self,
        order: &str,
        amount: &Money,
        token: &str,
        now: Timestamp,
    ) -> Result<Payment, Error> {
        self.check(order, amount, token)?;
        if let Some(record) = self.records.get(order)? {
            // A customer who was to confirm it may have done so.
            if record.payment.state != State::RequiresAction {
                return authorized(record, amount);
            }
            record.expect_amount(amount)?;
        }
        let answer = self.provider.authorize(order, amount, token)?;
        let record = self.records.update_if(order, |record| {
            Ok::<_, Error>(match record {
                None => Change::Write(Record::answered(order, amount, &answer, now)),
                Some(record) if record.payment.state == State::RequiresAction => {
                    match record.clone().follow(&answer, now) {
                        next if next.payment.state == State::RequiresAction => {
                            Change::Leave(record)
                        }
                        next => Change::Write(next),
                    }
                }
                Some(record) => Change::Leave(record),
            })
        })?;
        authorized(record, amount)
    }

    /// Takes the money that was set aside.
    pub fn capture(&self, order: &str, now: Timestamp) -> Result<Payment, Error> {
        let record = self.record(order)?;
        match record.payment.state {
            state if was_captured(state) => return Ok(record.payment),
            State::Authorized => {}
            state => return Err(illegal(order, state, State::Captured)),
        }
        self.provider.capture(order)?;
        let record = self.records.update_if(order, |record| {
            let record = record.ok_or_else(|| missing(order))?;
            match record.payment.state {
                state if was_captured(state) => Ok(Change::Leave(record)),
                state if is_open(state) => Ok(Change::Write(record.to(State::Captured, now))),
                state => Err(illegal(order, state, State::Captured)),
            }
        })?;
        Ok(record.payment)
    }

    /// Gives up what was not taken.
    pub fn void(&self, order: &str, reason: &str, now: Timestamp) -> Result<Payment, Error> {
        let mut faults = Violations::default();
        faults.expect_name(order, LONGEST_ID, "/order_id");
        faults.check()?;
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        match self.records.get(order)? {
            Some(record) if was_captured(record.payment.state) => {
                return Err(illegal(order, record.payment.state, State::Voided));
            }
            Some(record) if !is_open(record.payment.state) => return Ok(record.payment),
            _ => self.provider.void(order)?,
        }
        let record = self.records.update_if(order, |record| match record {
            None => Ok(Change::Write(Record::never(order, &reason, now))),
            Some(record) => match record.payment.state {
                state if is_open(state) => {
                    Ok(Change::Write(record.ended(State::Voided, &reason, now)))
                }
                state if was_captured(state) => Err(illegal(order, state, State::Voided)),
                _ => Ok(Change::Leave(record)),
            },
        })?;
        Ok(record.payment)
    }

    /// Gives back a part of what was taken, once for each of its ids.
    pub fn refund(
        &self,
        order: &str,
        id: &str,
        amount: &Money,
        now: Timestamp,
    ) -> Result<Payment, Error> {
        let mut faults = Violations::default();
        faults.expect_name(id, LONGEST_ID, "/refund_id");
        faults.expect(amount.minor > 0, "/amount/minor", || {
            format!("expected 1 or more, found {}", amount.minor)
        });
        faults.check()?;
        let record = self.record(order)?;
        if record.refund(id, amount, now)?.is_none() {
            return Ok(record.payment);
        }
        self.provider.refund(order, id, amount)?;
        let record = self.records.update_if(order, |record| {
            let record = record.ok_or_else(|| missing(order))?;
            Ok::<_, Error>(match record.refund(id, amount, now)? {
                Some(refunded) => Change::Write(refunded),
                None => Change::Leave(record),
            })
        })?;
        Ok(record.payment)
    }

    /// One payment.
    pub fn get(&self, order: &str) -> Result<Payment, Error> {
        self.record(order).map(|record| record.payment)
    }

    fn record(&self, order: &str) -> Result<Record, Error> {
        self.records.get(order)?.ok_or_else(|| missing(order))
    }

    /// Refuses what can't be a payment, with all its faults.
    fn check(&self, order: &str, amount: &Money, token: &str) -> Result<(), Error> {
        let mut faults = Violations::default();
        faults.expect_name(order, LONGEST_ID, "/order_id");
        faults.expect(amount.minor >= 0, "/amount/minor", || {
            format!("expected 0 or more, found {}", amount.minor)
        });
        let known = Money::new(amount.minor, &amount.currency);
        faults.expect(known.is_ok(), "/amount/currency", || {
            known
                .err()
                .map(|fault| fault.to_string())
                .unwrap_or_default()
        });
        faults.check()?;
        self.provider.check(token)
    }
}

/// The answer to an authorization.
fn authorized(record: Record, amount: &Money) -> Result<Payment, Error> {
    if record.payment.state == State::Voided {
        let order = &record.payment.id;
        return Err(illegal(order, State::Voided, State::Authorized));
    }
    record.expect_amount(amount)?;
    Ok(record.payment)
}

fn missing(order: &str) -> Error {
    not_found!("order {order:?} has no payment")
}

#[cfg(test)]
pub(crate) mod tests;
