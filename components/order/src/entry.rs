//! An order as it is kept: what its customer sees, and what its saga has to know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_sdk::{Error, Money, Timestamp, conflict};

use crate::bindings::exports::shop::order::orders::{Order, OrderState as State};
use crate::price;

/// One key's value: the whole order changes in one step, or not at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What its customer sees.
    #[serde(flatten)]
    pub order: Order,
    /// The provider's token of how it is paid.
    #[serde(default)]
    pub(crate) token: Option<String>,
    /// Where its stock may come from; anywhere if nothing is said.
    #[serde(default)]
    pub(crate) locations: Option<Vec<String>>,
    /// Whether it was refused for want of stock.
    #[serde(default)]
    pub(crate) refused: bool,
    /// Whether it has gone out: its shipment is ordered, its money taken, its stock gone.
    #[serde(default)]
    pub(crate) sent: bool,
    /// What came back of it.
    #[serde(default)]
    pub(crate) returns: Vec<Return>,
}

/// Units that came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Return {
    /// Of the stock that is taken back, and of the money that is given back.
    pub(crate) id: String,
    /// Quantity by SKU.
    pub(crate) units: BTreeMap<String, u32>,
    /// What was paid for them.
    pub(crate) amount: Money,
    /// Whether stock and money are where they belong.
    pub(crate) done: bool,
}

impl Entry {
    /// Whether its fate is still open: neither confirmed nor cancelled.
    pub(crate) fn is_open(&self) -> bool {
        matches!(
            self.order.state,
            State::Pending | State::Reserved | State::Authorized
        )
    }

    /// Whether something of it was begun that is not done.
    pub(crate) fn has_work(&self) -> bool {
        let sends = self.order.state == State::Fulfilling && !self.sent;
        self.is_open() || sends || self.returns.iter().any(|back| !back.done)
    }

    /// Whether there is anything to pay.
    pub(crate) fn costs(&self) -> bool {
        self.order.total.minor > 0
    }

    /// When it changed last.
    pub(crate) fn since(&self) -> Timestamp {
        let epoch = Timestamp::from_millis(0);
        self.order.updated_at.parse().unwrap_or(epoch)
    }

    /// A change of it.
    pub(crate) fn changed(mut self, now: Timestamp, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self.order.version += 1;
        self.order.updated_at = now.to_string();
        self
    }

    /// The same in another state.
    pub(crate) fn to(self, state: State, reason: Option<&str>, now: Timestamp) -> Self {
        self.changed(now, |entry| {
            entry.order.state = state;
            entry.order.reason = reason.map(str::to_owned);
            entry.order.action_url = None;
        })
    }

    /// The conflict of a step that the state machine does not have.
    pub(crate) fn illegal(&self, to: State) -> Error {
        let (id, from) = (&self.order.id, name(self.order.state));
        conflict!("order {id} is {from}: it can't become {}", name(to))
    }

    /// Notes that units come back, and what is to be given back for them.
    ///
    /// # Errors
    /// Conflict when more would come back than was sent.
    pub(crate) fn take_back(
        &mut self,
        id: &str,
        units: &BTreeMap<String, u32>,
    ) -> Result<(), Error> {
        let included = self.order.tax_included.unwrap_or(true);
        let mut amount = Money {
            minor: 0,
            ..self.order.total.clone()
        };
        let order = self.order.id.clone();
        for (sku, more) in units {
            let line = self.order.lines.iter_mut().find(|line| line.sku == *sku);
            let line = line.ok_or_else(|| conflict!("order {order} has no {sku}"))?;
            let before = line.returned.unwrap_or(0);
            let left = line.quantity - before;
            if *more > left {
                return Err(conflict!(
                    "{sku}: {more} are to come back, and order {order} has {left} of them"
                ));
            }
            let paid = price::paid_for(line, included, before, *more);
            let paid = paid.and_then(|paid| amount.checked_add(&paid));
            amount = paid.map_err(|fault| conflict!("{sku}: {fault}"))?;
            line.returned = Some(before + more);
        }
        let is_back = |line: &_| is_whole(line);
        if self.order.lines.iter().all(is_back) {
            // With the last of them goes what was paid for sending them.
            let before: i64 = self.returns.iter().map(|back| back.amount.minor).sum();
            amount.minor = self.order.total.minor - before;
        }
        self.returns.push(Return {
            id: id.to_owned(),
            units: units.clone(),
            amount,
            done: false,
        });
        Ok(())
    }

    /// A return is done.
    pub(crate) fn taken_back(&mut self, id: &str) {
        for back in self.returns.iter_mut().filter(|back| back.id == id) {
            back.done = true;
        }
        let done = self.returns.iter().filter(|back| back.done);
        let refunded = done.map(|back| back.amount.minor).sum();
        self.order.refunded = Some(Money {
            minor: refunded,
            ..self.order.total.clone()
        });
        let all_done = self.returns.iter().all(|back| back.done);
        if all_done && self.order.lines.iter().all(is_whole) {
            self.order.state = State::Returned;
        }
    }

    /// What its customer still has of it.
    pub(crate) fn still_out(&self) -> BTreeMap<String, u32> {
        let left = |line: &crate::contract::OrderLine| {
            let left = line.quantity - line.returned.unwrap_or(0);
            (left > 0).then(|| (line.sku.clone(), left))
        };
        self.order.lines.iter().filter_map(left).collect()
    }
}

/// Whether all units of a line came back.
fn is_whole(line: &crate::contract::OrderLine) -> bool {
    line.returned == Some(line.quantity)
}

/// A state as the contract's text writes it.
pub(crate) fn name(state: State) -> &'static str {
    match state {
        State::Pending => "PENDING",
        State::Reserved => "RESERVED",
        State::Authorized => "AUTHORIZED",
        State::Confirmed => "CONFIRMED",
        State::Fulfilling => "FULFILLING",
        State::Completed => "COMPLETED",
        State::Cancelled => "CANCELLED",
        State::Returned => "RETURNED",
    }
}
