//! How sold units go: back to the others, out to their customer, and back from there.
//!
//! The record decides where they went. The shelves are prepared before it, so that a
//! crash in between leaves an open entry, which whoever comes by brings to its end.

use stoa_sdk::{Change, Error, Timestamp, conflict, invalid};

use super::{Inventory, Reservation, ReserveLine, State, unknown};
use crate::input::{CODE, is_code};
use crate::reservation::{Back, Record, Transition, by_sku, illegal, step, sum};
use crate::shelf::Leaving;

impl Inventory {
    /// Gives back whatever the order still has.
    pub fn cancel(&self, order: &str, now: Timestamp) -> Result<Reservation, Error> {
        let mut record = self.records.update_if(order, |record| {
            Ok::<_, Error>(match record {
                None => Change::Write(Record::never(now)),
                Some(record) if record.state == State::Held => {
                    Change::Write(record.to(State::Released))
                }
                Some(record) => Change::Leave(record),
            })
        })?;
        if record.state == State::Committed {
            self.reopen(order, &record, Leaving::Back, now)?;
            let back = Transition {
                from: State::Committed,
                to: State::Returned,
            };
            record = step(&self.records, order, back, |_| ())?;
        }
        self.settle(order, &record)?;
        self.view(order, &record)
    }

    /// COMMITTED → SHIPPED: its units leave the stock.
    pub fn ship(&self, order: &str, now: Timestamp) -> Result<Reservation, Error> {
        let mut record = self.record(order)?;
        match record.state {
            State::Committed => {
                self.reopen(order, &record, Leaving::Out, now)?;
                let out = Transition {
                    from: State::Committed,
                    to: State::Shipped,
                };
                record = step(&self.records, order, out, |_| ())?;
            }
            State::Shipped => {}
            other => return Err(illegal(order, other, State::Shipped)),
        }
        self.settle(order, &record)?;
        self.view(order, &record)
    }

    /// Puts shipped units back where they came from.
    pub fn take_back(
        &self,
        order: &str,
        id: &str,
        lines: &[ReserveLine],
        now: Timestamp,
    ) -> Result<Reservation, Error> {
        let wanted = sum(order, lines)?;
        if !is_code(id) {
            return Err(invalid!(
                "/return_id",
                "expected a return's id of {CODE}, found {id:?}"
            ));
        }
        let record = self.records.update_if(order, |record| {
            let mut record = record.ok_or_else(|| unknown(order))?;
            if record.state != State::Shipped {
                let is = record.state_name();
                return Err(conflict!(
                    "the reservation of order {order} is {is}: what is not SHIPPED can't come back"
                ));
            }
            match record.back.get(id) {
                Some(back) if back.wanted() == wanted => Ok(Change::Leave(record)),
                Some(_) => Err(conflict!("return {id} of order {order} has other lines")),
                None => {
                    let units = record.still_out(order, &wanted)?;
                    record.back.insert(id.to_owned(), Back::on_its_way(units));
                    record.version += 1;
                    Ok(Change::Write(record))
                }
            }
        })?;
        self.bring_back(order, id, record, now)
    }

    /// Brings a return that is written down to its end, if a crash has not let it come
    /// there.
    pub(super) fn resume_return(&self, note: &str, now: Timestamp) -> Result<(), Error> {
        let Some((order, id)) = note.split_once(NOTE) else {
            return Ok(());
        };
        let record = self.record(order)?;
        self.bring_back(order, id, record, now).map(drop)
    }

    fn bring_back(
        &self,
        order: &str,
        id: &str,
        mut record: Record,
        now: Timestamp,
    ) -> Result<Reservation, Error> {
        let (note, back) = (note(order, id), record.returned(order, id)?.clone());
        for (sku, units) in by_sku(&back.units) {
            self.shelves.update_if(&sku, |shelf| {
                let mut shelf = shelf.unwrap_or_default();
                let waits = !self.record(order)?.returned(order, id)?.done;
                let taken = waits && shelf.take_back(&note, units.clone(), now);
                Ok::<_, Error>(if taken {
                    Change::Write(shelf)
                } else {
                    Change::Leave(shelf)
                })
            })?;
        }
        if !back.done {
            record = self.records.update(order, |record| {
                let mut record = record.ok_or_else(|| unknown(order))?;
                record.returned_mut(order, id)?.done = true;
                Ok::<_, Error>(record)
            })?;
        }
        for sku in by_sku(&back.units).into_keys() {
            self.shelves.update_if(&sku, |shelf| {
                let mut shelf = shelf.unwrap_or_default();
                Ok::<_, Error>(match shelf.forget(&note) {
                    true => Change::Write(shelf),
                    false => Change::Leave(shelf),
                })
            })?;
        }
        self.view(order, &record)
    }

    /// Prepares the shelves for sold units that are to go.
    fn reopen(
        &self,
        order: &str,
        record: &Record,
        leaving: Leaving,
        now: Timestamp,
    ) -> Result<(), Error> {
        for (sku, units) in by_sku(&record.sold) {
            self.shelves.update_if(&sku, |shelf| {
                let mut shelf = shelf.unwrap_or_default();
                let sold = self.record(order)?.state == State::Committed;
                let opened = sold && shelf.reopen(order, units.clone(), leaving, now);
                Ok::<_, Error>(if opened {
                    Change::Write(shelf)
                } else {
                    Change::Leave(shelf)
                })
            })?;
        }
        Ok(())
    }
}

/// Between an order and its return in a note: no code has it.
const NOTE: char = '/';

fn note(order: &str, id: &str) -> String {
    format!("{order}{NOTE}{id}")
}
