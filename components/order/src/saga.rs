//! How an order ends: confirmed with its stock, or cancelled without any.
//!
//! Every step is idempotent by the order's id, and its state moves by
//! compare-and-swap: whoever comes next, after a crash or at the same time, goes on
//! from what it finds. Nothing here waits for somebody to ask again: `place` ends what
//! it began, and what a crash left goes on by the queue, to which each order is told
//! together with its first write, or by whoever reads it first.
//!
//! A cancelled order may still have stock. That is owed, and written down before the
//! order is cancelled, so that it can be given back whatever happens in between.

use std::time::Duration;

use stoa_sdk::{Bucket, Change, Error, Timestamp};

use crate::bindings::exports::shop::order::orders::{Order, OrderLine, OrderState as State};
use crate::bindings::shop::product::inventory::ReserveLine;
use crate::orders::missing;
use crate::{Later, Warehouse};

/// How long an order that a crash left may still be confirmed. Nobody waits for it
/// after that, at the price of that time.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Longer than a call may last: who wrote an older note of what is owed is gone.
const GRACE: Duration = Duration::from_secs(60);

/// Orders on their way to an end.
pub(crate) struct Saga<W> {
    pub(crate) orders: Bucket<Order>,
    /// Orders whose stock is to be given back, and since when.
    owed: Bucket<Timestamp>,
    warehouse: W,
}

impl<W: Warehouse + Later> Saga<W> {
    pub(crate) fn new(orders: Bucket<Order>, owed: Bucket<Timestamp>, warehouse: W) -> Self {
        Self {
            orders,
            owed,
            warehouse,
        }
    }

    pub(crate) fn warehouse(&self) -> &W {
        &self.warehouse
    }

    /// Takes an order to its end, which another caller may have chosen. An error
    /// leaves it where it is.
    pub(crate) fn advance(&self, order: &Order, now: Timestamp) -> Result<Order, Error> {
        if is_over(order) {
            return Ok(order.clone());
        }
        let lines: Vec<_> = order.lines.iter().map(reserve_line).collect();
        match refusal(self.warehouse.reserve(&order.id, &lines))? {
            // All or none: it has no stock.
            Some(reason) => return self.end(&order.id, State::Cancelled, Some(&reason), now),
            None => tracing::debug!(id = order.id, "stock reserved"),
        }
        match refusal(self.warehouse.commit(&order.id))? {
            Some(reason) => self.call_off(&order.id, &reason, now),
            None => self.end(&order.id, State::Confirmed, None, now),
        }
    }

    /// Cancels an order that is not over, and gives back what stock it may have.
    pub(crate) fn call_off(&self, id: &str, reason: &str, now: Timestamp) -> Result<Order, Error> {
        self.owe(id, now)?;
        let order = self.end(id, State::Cancelled, Some(reason), now)?;
        // If another caller confirmed it first, the note goes when it is old.
        if order.state == State::Cancelled {
            self.pay_or_tell(id);
        }
        Ok(order)
    }

    /// Cancels an order in any state, if `check` allows it, and gives its stock back.
    pub(crate) fn cancel(
        &self,
        id: &str,
        check: impl Fn(Option<Order>) -> Result<Order, Error>,
        now: Timestamp,
    ) -> Result<Order, Error> {
        check(self.orders.get(id)?)?;
        // Also when it is cancelled already: an older version kept no note.
        self.owe(id, now)?;
        let order = self.orders.update_if(id, |order| {
            let order = check(order)?;
            Ok::<_, Error>(match order.state {
                State::Cancelled => Change::Leave(order),
                _ => Change::Write(to(order, State::Cancelled, Some("called off"), now)),
            })
        })?;
        self.pay_or_tell(id);
        Ok(order)
    }

    /// Takes an order on that the queue tells of. What is not known is none: its first write
    /// failed.
    pub(crate) fn resume(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        let Some(order) = self.orders.get(id)? else {
            return Ok(());
        };
        let order = match is_over(&order) {
            true => order,
            false if now < since(&order) + PATIENCE => self.advance(&order, now)?,
            false => self.call_off(id, "was left unfinished", now)?,
        };
        match order.state == State::Cancelled && self.owed.get(id)?.is_some() {
            true => self.pay(id),
            false => Ok(()),
        }
    }

    /// Ends orders that somebody reads and that were left on their way. Those that
    /// can't be ended now stay as they are, and so do all after the first of them.
    pub(crate) fn settle(&self, orders: &mut [Order], now: Timestamp) -> Result<(), Error> {
        let ids = orders
            .iter()
            .filter(|order| order.state == State::Cancelled);
        let ids: Vec<_> = ids.map(|order| order.id.clone()).collect();
        if !ids.is_empty() {
            let owed = ids.iter().zip(self.owed.get_many(&ids)?);
            let mut owed = owed.filter(|(_, since)| since.is_some());
            if !owed.all(|(id, _)| self.pay(id).is_ok()) {
                return Ok(());
            }
        }
        for order in orders.iter_mut().filter(|order| !is_over(order)) {
            let ended = if now < since(order) + PATIENCE {
                self.advance(order, now)
            } else {
                self.call_off(&order.id, "was left unfinished", now)
            };
            match ended {
                Ok(ended) => *order = ended,
                Err(fault) => {
                    tracing::warn!(id = order.id, "order can't be ended now: {fault:?}");
                    break;
                }
            }
        }
        Ok(())
    }

    /// Gives back the stock of one of the cancelled orders that still have some. For a
    /// call that has just seen the warehouse work.
    pub(crate) fn pay_one(&self, now: Timestamp) {
        if let Err(fault) = self.try_pay_one(now) {
            tracing::warn!("stock of a cancelled order can't be given back now: {fault:?}");
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
            Some(order) if order.state == State::Cancelled => self.pay(&id),
            // Its caller is about to cancel it, or has not come so far.
            _ => match self.owed.get(&id)? {
                Some(since) if since + GRACE <= now => self.owed.delete(&id),
                _ => Ok(()),
            },
        }
    }

    /// Gives back the stock of a cancelled order, now or when somebody comes by.
    fn pay_or_tell(&self, id: &str) {
        if let Err(fault) = self.pay(id) {
            tracing::warn!(id, "the order's stock can't be given back now: {fault:?}");
        }
    }

    /// Notes that the stock of an order is to be given back; the queue is told in the same
    /// step.
    fn owe(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        self.owed.update_telling(id, |_| {
            self.warehouse.advance_later(id)?;
            Ok::<_, Error>(Change::Write(now))
        })?;
        Ok(())
    }

    fn pay(&self, id: &str) -> Result<(), Error> {
        self.warehouse.cancel(id)?;
        self.owed.delete(id)
    }

    /// Writes the end of an order, unless it is over.
    fn end(
        &self,
        id: &str,
        state: State,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<Order, Error> {
        let order = self.orders.update_if(id, |order| {
            let order = order.ok_or_else(|| missing(id))?;
            Ok::<_, Error>(match is_over(&order) {
                true => Change::Leave(order),
                false => Change::Write(to(order, state, reason, now)),
            })
        })?;
        tracing::info!(id, state = name(order.state), "order ended");
        Ok(order)
    }
}

/// Why a step was refused; `None` if it was done. What is no refusal stays an error.
fn refusal(done: Result<(), Error>) -> Result<Option<String>, Error> {
    match done {
        Ok(()) => Ok(None),
        Err(Error::Conflict(reason) | Error::NotFound(reason)) => Ok(Some(reason)),
        Err(other) => Err(other),
    }
}

fn is_over(order: &Order) -> bool {
    matches!(order.state, State::Confirmed | State::Cancelled)
}

/// When an order changed last.
fn since(order: &Order) -> Timestamp {
    let epoch = Timestamp::from_millis(0);
    order.updated_at.parse().unwrap_or(epoch)
}

fn to(order: Order, state: State, reason: Option<&str>, now: Timestamp) -> Order {
    Order {
        state,
        reason: reason.map(str::to_owned),
        version: order.version + 1,
        updated_at: now.to_string(),
        ..order
    }
}

fn reserve_line(line: &OrderLine) -> ReserveLine {
    ReserveLine {
        sku: line.sku.clone(),
        quantity: line.quantity,
    }
}

fn name(state: State) -> &'static str {
    match state {
        State::Pending => "PENDING",
        State::Reserved => "RESERVED",
        State::Confirmed => "CONFIRMED",
        State::Cancelled => "CANCELLED",
    }
}
