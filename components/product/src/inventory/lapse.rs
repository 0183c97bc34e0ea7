//! What is held past its time: free for those who read, and given back for good by
//! whoever needs it.

use stoa_sdk::{Change, Error, Timestamp};

use super::{GET_LIMIT, Inventory, State, unknown};
use crate::shelf::{Leaving, Shelf};

impl Inventory {
    /// Gives back the stock of reservations that nobody committed in time, and
    /// returns how many there were. Nothing depends on it: the shelves get tidier.
    pub fn expire(&self, now: Timestamp) -> Result<u32, Error> {
        let (mut expired, mut cursor) = (0, None);
        loop {
            let (skus, next) = self.shelves.keys(cursor.as_deref())?;
            for shelf in self.shelves.get_many(&skus)?.into_iter().flatten() {
                expired += self.expire_on(&shelf, now)?;
            }
            cursor = next;
            if cursor.is_none() {
                return Ok(expired);
            }
        }
    }

    /// The same for what lapsed on one shelf.
    pub(super) fn expire_on(&self, shelf: &Shelf, now: Timestamp) -> Result<u32, Error> {
        let mut expired = 0;
        for order in shelf.lapsed(now) {
            if shelf.is_note(&order) {
                self.resume_return(&order, now)?;
                continue;
            }
            let mut ended = false;
            let record = self.records.update_if(&order, |record| {
                let record = record.ok_or_else(|| unknown(&order))?;
                ended = record.has_lapsed(now);
                Ok::<_, Error>(match ended {
                    true => Change::Write(record.to(State::Expired)),
                    false => Change::Leave(record),
                })
            })?;
            expired += u32::from(ended);
            self.settle(&order, &record)?;
            // One that did not come to its end.
            match shelf
                .leaving(&order)
                .filter(|_| record.state == State::Committed)
            {
                Some(Leaving::Back) => drop(self.cancel(&order, now)?),
                Some(Leaving::Out) => drop(self.ship(&order, now)?),
                None => {}
            }
        }
        Ok(expired)
    }

    /// The shelf as it will be when what is over is closed. Never to be written: a
    /// hold that lapsed can still be committed until its record says otherwise.
    ///
    /// Each entry that closes makes the version grow by one, here as there: a
    /// version stands for one state of the stock, whoever closes what and when.
    pub(super) fn due(&self, mut shelf: Shelf, now: Timestamp) -> Result<Shelf, Error> {
        for orders in shelf.lapsed(now).chunks(GET_LIMIT) {
            for (order, record) in orders.iter().zip(self.records.get_many(orders)?) {
                if let Some(end) = record.and_then(|record| record.due(now)) {
                    shelf.close(order, end);
                }
            }
        }
        Ok(shelf)
    }
}
