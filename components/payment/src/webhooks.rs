//! What the provider says of payments without being asked.
//!
//! An event is news and not the truth: whether it is so the provider is asked. Events may
//! come twice, in any order, and before the answer to the call that they tell of; the
//! record goes forward only, so each is of use once or not at all.

use stoa_sdk::{Change, Error, Money, Timestamp, unavailable};

use crate::event::Event;
use crate::record::{Record, Unheard};
use crate::signature;
use crate::{Changes, Payments, Provider};

/// A message that says that it comes from the provider.
#[derive(Debug, Clone, Copy)]
pub struct Webhook<'a> {
    /// As it was sent.
    pub body: &'a [u8],
    /// By whoever knows the secret.
    pub signature: &'a str,
    /// When it came. It may have waited since.
    pub came: Timestamp,
}

impl<P: Provider, C: Changes> Payments<P, C> {
    /// Hears of an event. One that is not signed with `secret`, or that makes no sense, is
    /// dropped: it would not be better the next time.
    ///
    /// # Errors
    /// When it is to come again: the store or the provider has no answer now, or the event
    /// tells of a payment that is not there yet, and not how much it is of.
    pub fn received(
        &self,
        webhook: Webhook<'_>,
        secret: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Webhook {
            body,
            signature,
            came,
        } = webhook;
        if let Err(fault) = signature::verify(signature, body, secret, came) {
            tracing::warn!("an event was dropped: {fault}");
            return Ok(());
        }
        let event = match Event::read(body) {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(()),
            Err(fault) => {
                tracing::error!("an event of the provider can't be read and was dropped: {fault}");
                return Ok(());
            }
        };
        self.hear(&event, now)
    }

    fn hear(&self, event: &Event, now: Timestamp) -> Result<(), Error> {
        let Event {
            id, order, what, ..
        } = event;
        let known = self.records.get(order)?;
        let amount = amount(known.as_ref(), event)?;
        match Record::hear(known.as_ref(), event, now) {
            Ok(_) => {}
            Err(Unheard::Old) => {
                tracing::debug!(id, order, "an event is no news");
                return Ok(());
            }
            Err(Unheard::Contradiction(fault)) => {
                tracing::error!(id, order, "an event was dropped: {fault}");
                return Ok(());
            }
        }
        if !self.provider.follow(order, &amount, what)? {
            tracing::warn!(
                id,
                order,
                "an event was dropped: it is not so at the provider"
            );
            return Ok(());
        }
        self.records.update_telling(order, |record| {
            match (Record::hear(record.as_ref(), event, now), record) {
                (Ok(heard), _) => {
                    self.changes.changed(order)?;
                    Ok(Change::Write(heard))
                }
                (Err(_), Some(record)) => Ok(Change::Leave(record)),
                (Err(_), None) => Err(unavailable!("the payment of order {order} is gone")),
            }
        })?;
        tracing::info!(id, order, "heard of a payment: {what:?}");
        Ok(())
    }
}

/// Of the whole payment.
fn amount(known: Option<&Record>, event: &Event) -> Result<Money, Error> {
    match (known, &event.amount) {
        (Some(record), _) => Ok(record.payment.amount.clone()),
        (None, Some(amount)) => Ok(amount.clone()),
        (None, None) => Err(unavailable!(
            "event {} tells of order {:?}, which has no payment yet, and not of how much",
            event.id,
            event.order
        )),
    }
}

#[cfg(test)]
mod tests;
