//! How an order comes to its fate: confirmed with its stock and its money, or cancelled
//! without either.
//!
//! Every step is idempotent by the order's id, and its state moves by
//! compare-and-swap: whoever comes next, after a crash or at the same time, goes on
//! from what it finds. Nothing here waits for somebody to ask again: `place` goes on as far as
//! it can, and what is left goes on by the queue, to which each order is told together with
//! the write that begins a step, or by whoever reads it first.
//!
//! A cancelled order may still have stock, money or a discount. That is owed, and written
//! down before the order is cancelled, so that it can be given back whatever happens in
//! between.

use std::time::Duration;

use stoa_sdk::{Bucket, Change, Error, Timestamp, unavailable};

use crate::World;
use crate::bindings::exports::shop::order::orders::{OrderLine, OrderState as State};
use crate::bindings::shop::payment::payments::PaymentState;
use crate::bindings::shop::product::inventory::ReserveLine;
use crate::discount::Discounts;
use crate::entry::{Entry, name};
use crate::orders::missing;

/// How long an order may be on its way. Nobody waits for it after that, at the price of that
/// time. As long as stock is held, unless an operator says otherwise.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Longer than a call may last: who wrote an older note of what is owed is gone.
const GRACE: Duration = Duration::from_secs(60);

/// Orders on their way.
pub(crate) struct Saga<W> {
    pub(crate) orders: Bucket<Entry>,
    /// Orders whose stock and money are to be given back, and since when.
    owed: Bucket<Timestamp>,
    pub(crate) discounts: Discounts,
    pub(crate) world: W,
}

impl<W: World> Saga<W> {
    pub(crate) fn new(
        orders: Bucket<Entry>,
        owed: Bucket<Timestamp>,
        discounts: Discounts,
        world: W,
    ) -> Self {
        Self {
            orders,
            owed,
            discounts,
            world,
        }
    }

    /// Takes an order as far as it can go. An error leaves it where it is.
    pub(crate) fn advance(&self, entry: &Entry, now: Timestamp) -> Result<Entry, Error> {
        match entry.is_open() {
            true if now < entry.since() + PATIENCE => self.conclude(entry, now),
            true => self.call_off(&entry.order.id, "was left unfinished", now),
            false => self.fulfil(entry, now),
        }
    }

    /// Stock, then money, then the sale: or back again.
    fn conclude(&self, entry: &Entry, now: Timestamp) -> Result<Entry, Error> {
        let (id, world) = (&entry.order.id, &self.world);
        let lines: Vec<_> = entry.order.lines.iter().map(reserve_line).collect();
        let reserved = world.reserve(id, &lines, entry.locations.as_deref());
        if let Some(reason) = refusal(reserved)? {
            return self.refuse(entry, &reason, now);
        }
        tracing::debug!(id, "stock reserved");
        if entry.costs() {
            let token = entry.token.as_deref().unwrap_or_default();
            let mut payment = None;
            let authorized = world.authorize(id, &entry.order.total, token);
            let refused = refusal(authorized.map(|made| payment = Some(made)))?;
            let reason = match payment {
                Some(payment) => match payment.state {
                    PaymentState::RequiresAction => {
                        return self.wait(id, payment.action_url, now);
                    }
                    PaymentState::Failed | PaymentState::Voided => Some(format!(
                        "payment refused: {}",
                        payment.reason.as_deref().unwrap_or("no reason given")
                    )),
                    _ => None,
                },
                None => refused,
            };
            if let Some(reason) = reason {
                return self.call_off(id, &reason, now);
            }
        }
        match refusal(world.commit(id))? {
            Some(reason) => self.call_off(id, &reason, now),
            None => self.end(id, |entry| entry.to(State::Confirmed, None, now)),
        }
    }

    /// Its customer has to confirm the payment first.
    fn wait(&self, id: &str, url: Option<String>, now: Timestamp) -> Result<Entry, Error> {
        self.orders.update_if(id, |entry| {
            let entry = entry.ok_or_else(|| missing(id))?;
            Ok(match entry.order.state {
                State::Pending => Change::Write(entry.changed(now, |entry| {
                    entry.order.state = State::Reserved;
                    entry.order.action_url.clone_from(&url);
                })),
                _ => Change::Leave(entry),
            })
        })
    }

    /// Ends an order that found no stock: all or none, so that it has none.
    fn refuse(&self, entry: &Entry, reason: &str, now: Timestamp) -> Result<Entry, Error> {
        let id = &entry.order.id;
        // A first try may have come further before a crash.
        let has_more = entry.order.state != State::Pending || entry.order.discount_code.is_some();
        if has_more {
            self.owe(id, now)?;
        }
        let ended = self.end(id, |entry| Entry {
            refused: true,
            ..entry.to(State::Cancelled, Some(reason), now)
        })?;
        if has_more && ended.order.state == State::Cancelled {
            self.pay_or_tell(&ended);
        }
        Ok(ended)
    }

    /// Cancels an order that is on its way, and gives back what it may have.
    pub(crate) fn call_off(&self, id: &str, reason: &str, now: Timestamp) -> Result<Entry, Error> {
        self.owe(id, now)?;
        let entry = self.end(id, |entry| entry.to(State::Cancelled, Some(reason), now))?;
        // If another caller confirmed it first, the note goes when it is old.
        if entry.order.state == State::Cancelled {
            self.pay_or_tell(&entry);
        }
        Ok(entry)
    }

    /// Cancels an order that has not gone out, if `check` allows it, and gives back what it
    /// has.
    pub(crate) fn cancel(
        &self,
        id: &str,
        check: impl Fn(Option<Entry>) -> Result<Entry, Error>,
        now: Timestamp,
    ) -> Result<Entry, Error> {
        let may = |entry: &Entry| match entry.order.state {
            State::Fulfilling | State::Completed | State::Returned => {
                Err(entry.illegal(State::Cancelled))
            }
            _ => Ok(()),
        };
        may(&check(self.orders.get(id)?)?)?;
        // Also when it is cancelled already: an older version kept no note.
        self.owe(id, now)?;
        let entry = self.orders.update_if(id, |entry| {
            let entry = check(entry)?;
            may(&entry)?;
            Ok::<_, Error>(match entry.order.state {
                State::Cancelled => Change::Leave(entry),
                _ => Change::Write(entry.to(State::Cancelled, Some("called off"), now)),
            })
        })?;
        self.pay_or_tell(&entry);
        Ok(entry)
    }

    /// Takes an order on that the queue tells of. What is not known is none: its first write
    /// failed.
    pub(crate) fn resume(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        let Some(mut entry) = self.orders.get(id)? else {
            return Ok(());
        };
        if entry.has_work() {
            entry = self.advance(&entry, now)?;
        }
        if entry.order.state == State::Cancelled && self.owed.get(id)?.is_some() {
            self.pay(&entry)?;
        }
        match entry.is_open() {
            // Somebody has to call it off in time.
            true => Err(unavailable!("order {id} waits for its customer")),
            false => Ok(()),
        }
    }

    /// Goes on with orders that somebody reads and that were left on their way. Those that
    /// can't be taken on now stay as they are, and so do all after the first of them.
    pub(crate) fn settle(&self, entries: &mut [Entry], now: Timestamp) -> Result<(), Error> {
        let cancelled = entries
            .iter()
            .filter(|entry| entry.order.state == State::Cancelled);
        let ids: Vec<_> = cancelled
            .clone()
            .map(|entry| entry.order.id.clone())
            .collect();
        if !ids.is_empty() {
            let owed = cancelled.zip(self.owed.get_many(&ids)?);
            let mut owed = owed.filter(|(_, since)| since.is_some());
            if !owed.all(|(entry, _)| self.pay(entry).is_ok()) {
                return Ok(());
            }
        }
        for entry in entries.iter_mut().filter(|entry| entry.has_work()) {
            match self.advance(entry, now) {
                Ok(ended) => *entry = ended,
                Err(fault) => {
                    let id = &entry.order.id;
                    tracing::warn!(id, "the order can't go on now: {fault:?}");
                    break;
                }
            }
        }
        Ok(())
    }

    /// Gives back what one of the cancelled orders still has. For a call that has just seen
    /// the others work.
    pub(crate) fn pay_one(&self, now: Timestamp) {
        if let Err(fault) = self.try_pay_one(now) {
            tracing::warn!("what a cancelled order has can't be given back now: {fault:?}");
        }
    }

    fn try_pay_one(&self, now: Timestamp) -> Result<(), Error> {
        let (mut ids, _) = self.owed.keys(None)?;
        if ids.is_empty() {
            return Ok(());
        }
        // Calls at the same time take different ones.
        let id = ids.swap_remove(now.millis() as usize % ids.len());
        match self.orders.get(&id)? {
            Some(entry) if entry.order.state == State::Cancelled => self.pay(&entry),
            // Its caller is about to cancel it, or has not come so far.
            _ => match self.owed.get(&id)? {
                Some(since) if since + GRACE <= now => self.owed.delete(&id),
                _ => Ok(()),
            },
        }
    }

    /// Gives back what a cancelled order has, now or when somebody comes by.
    fn pay_or_tell(&self, entry: &Entry) {
        if let Err(fault) = self.pay(entry) {
            let id = &entry.order.id;
            tracing::warn!(id, "what the order has can't be given back now: {fault:?}");
        }
    }

    /// Notes that what an order has is to be given back; the queue is told in the same step.
    fn owe(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        self.owed.update_telling(id, |_| {
            self.world.advance_later(id)?;
            Ok::<_, Error>(Change::Write(now))
        })?;
        Ok(())
    }

    /// Money, then stock, then the discount: the other way round than it was had.
    fn pay(&self, entry: &Entry) -> Result<(), Error> {
        let id = &entry.order.id;
        if entry.costs() {
            let reason = entry.order.reason.as_deref().unwrap_or("called off");
            self.world.void(id, reason)?;
        }
        self.world.cancel(id)?;
        if let Some(code) = &entry.order.discount_code {
            self.discounts.release(code, id)?;
        }
        self.owed.delete(id)
    }

    /// Writes the fate of an order, unless it has one.
    fn end(&self, id: &str, end: impl Fn(Entry) -> Entry) -> Result<Entry, Error> {
        let entry = self.orders.update_if(id, |entry| {
            let entry = entry.ok_or_else(|| missing(id))?;
            Ok::<_, Error>(match entry.is_open() {
                true => Change::Write(end(entry)),
                false => Change::Leave(entry),
            })
        })?;
        tracing::info!(
            id,
            state = name(entry.order.state),
            "the order has its fate"
        );
        Ok(entry)
    }
}

/// Why a step is refused for good; `None` when it is done.
pub(crate) fn refusal(outcome: Result<(), Error>) -> Result<Option<String>, Error> {
    match outcome {
        Ok(()) => Ok(None),
        Err(Error::Conflict(reason) | Error::NotFound(reason)) => Ok(Some(reason)),
        Err(Error::Invalid(faults)) => {
            let told: Vec<_> = faults.into_iter().map(|fault| fault.detail).collect();
            Ok(Some(told.join("; ")))
        }
        Err(other) => Err(other),
    }
}

fn reserve_line(line: &OrderLine) -> ReserveLine {
    ReserveLine {
        sku: line.sku.clone(),
        quantity: line.quantity,
    }
}
