//! Where orders are kept, watched.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use stoa_sdk::store::{Access, Store, Watched};
use stoa_sdk::{Bucket, Error, Index, unavailable};

use super::fake::Fake;
use super::settings;
use crate::{Kept, Orders};

/// Orders that are kept over a crash, and what they do with their stores.
pub(super) struct Disk {
    stores: [Arc<dyn Store>; 4],
    indexes: Mutex<BTreeMap<String, Arc<dyn Store>>>,
    pub(super) watch: Arc<Watch>,
}

#[derive(Default)]
pub(super) struct Watch {
    pub(super) writes: AtomicUsize,
    /// Writes until the host dies.
    pub(super) left: AtomicUsize,
    pub(super) keys: AtomicUsize,
    pub(super) values: AtomicUsize,
}

impl Watch {
    fn see(&self, access: Access) -> Result<(), Error> {
        let add = |to: &AtomicUsize, n| {
            to.fetch_add(n, Ordering::SeqCst);
        };
        match access {
            Access::List(keys) => add(&self.keys, keys),
            Access::Read(values) => add(&self.values, values),
            Access::Write => {
                if self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
                    self.left.store(0, Ordering::SeqCst);
                    return Err(unavailable!("the host has died"));
                }
                add(&self.writes, 1);
            }
        }
        Ok(())
    }
}

impl Disk {
    pub(super) fn new() -> Arc<Self> {
        let watch = Arc::new(Watch::default());
        watch.left.store(usize::MAX, Ordering::SeqCst);
        Arc::new(Self {
            stores: [(); 4].map(|()| Self::store(&watch)),
            indexes: Mutex::default(),
            watch,
        })
    }

    fn store(watch: &Arc<Watch>) -> Arc<dyn Store> {
        let watch = watch.clone();
        Arc::new(Watched::new(move |access| watch.see(access)))
    }

    /// The orders, with nothing of them in memory.
    pub(super) fn orders<'a>(self: &Arc<Self>, fake: &'a Fake) -> Orders<&'a Fake> {
        let [orders, keys, owed, uses] = self.stores.clone();
        let index = |of: &'static str| {
            let disk = self.clone();
            Index::over(move |name| {
                let mut indexes = disk.indexes.lock().unwrap();
                let bucket = indexes.entry(format!("{of}.{name}"));
                Ok(bucket.or_insert_with(|| Self::store(&disk.watch)).clone())
            })
        };
        let kept = Kept {
            orders: Bucket::over(orders),
            keys: Bucket::over(keys),
            owed: Bucket::over(owed),
            uses: Bucket::over(uses),
            by_customer: index("by-customer"),
            newest: index("newest"),
        };
        Orders::new(kept, fake, settings())
    }

    pub(super) fn owes(&self) -> usize {
        self.stores[2].keys(None).unwrap().0.len()
    }
}
