//! The shelves of all SKUs, and who is told when what can be ordered of one has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use stoa_sdk::{Bucket, Change, Error};

use crate::Tell;
use crate::shelf::Shelf;

/// Shelves by SKU.
pub(crate) struct Shelves {
    kept: Bucket<Shelf>,
    pub(crate) told: Arc<dyn Tell>,
}

impl Shelves {
    /// Shelves in a bucket, of whose changes somebody is told.
    pub(crate) fn new(kept: Bucket<Shelf>, told: Arc<dyn Tell>) -> Self {
        Self { kept, told }
    }

    /// The shelf of a SKU.
    pub(crate) fn get(&self, sku: &str) -> Result<Option<Shelf>, Error> {
        self.kept.get(sku)
    }

    /// The shelves of many SKUs, in their order.
    pub(crate) fn get_many(&self, skus: &[String]) -> Result<Vec<Option<Shelf>>, Error> {
        self.kept.get_many(skus)
    }

    /// Some SKUs in byte order, and the cursor of those that follow.
    pub(crate) fn keys(
        &self,
        cursor: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), Error> {
        self.kept.keys(cursor)
    }

    /// As [`Bucket::update`].
    pub(crate) fn update(
        &self,
        sku: &str,
        mut change: impl FnMut(Option<Shelf>) -> Result<Shelf, Error>,
    ) -> Result<Shelf, Error> {
        self.update_if(sku, |shelf| change(shelf).map(Change::Write))
    }

    /// As [`Bucket::update_if`]. A sale or a shipment of what was set aside before changes
    /// nothing that others can order, so nobody is told of it.
    pub(crate) fn update_if(
        &self,
        sku: &str,
        mut change: impl FnMut(Option<Shelf>) -> Result<Change<Shelf>, Error>,
    ) -> Result<Shelf, Error> {
        self.kept.update_telling(sku, |shelf| {
            let before = shelf.as_ref().map_or_else(BTreeMap::new, Shelf::orderable);
            let change = change(shelf)?;
            if let Change::Write(shelf) = &change
                && shelf.orderable() != before
            {
                self.told.stock(sku)?;
            }
            Ok(change)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use stoa_sdk::Timestamp;

    use super::*;
    use crate::reservation::Record;
    use crate::shelf::End;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Tell for Heard {
        fn product(&self, _: &str, _: u64) -> Result<(), Error> {
            Ok(())
        }

        fn stock(&self, sku: &str) -> Result<(), Error> {
            self.0.lock().unwrap().push(sku.to_owned());
            Ok(())
        }
    }

    #[test]
    fn what_can_be_ordered_is_told_and_nothing_else() {
        let heard = Arc::new(Heard::default());
        let shelves = Shelves::new(Bucket::in_memory(), heard.clone());
        let change = |change: &dyn Fn(&mut Shelf)| {
            let changed = shelves.update("CUP", |shelf| {
                let mut shelf = shelf.unwrap_or_default();
                change(&mut shelf);
                Ok(shelf)
            });
            changed.unwrap();
            heard.0.lock().unwrap().drain(..).count()
        };
        let record = Record::held(BTreeMap::new(), Timestamp::from_millis(1));
        assert_eq!(
            change(&|shelf| shelf.adjust("CUP", "berlin", 5).unwrap()),
            1
        );
        assert_eq!(change(&|shelf| assert!(shelf.hold("o", 2, &record))), 1);
        let sell = |shelf: &mut Shelf| assert!(shelf.close("o", End::Sold));
        assert_eq!(change(&sell), 0);
        // As much as came in Lyon is gone in Berlin: not the same for who is near one.
        let move_two = |shelf: &mut Shelf| {
            shelf.adjust("CUP", "lyon", 2).unwrap();
            shelf.adjust("CUP", "berlin", -2).unwrap();
        };
        assert_eq!(change(&move_two), 1);
        let left = shelves.update_if("CUP", |shelf| Ok(Change::Leave(shelf.unwrap_or_default())));
        left.unwrap();
        assert_eq!(heard.0.lock().unwrap().len(), 0);
    }
}
