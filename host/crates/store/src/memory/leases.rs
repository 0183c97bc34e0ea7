//! Leases in a map.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::faults::Chance;
use crate::leases::{Kept, Step};
use crate::log::check_name;
use crate::{Held, Lease, Leases, Reply, Term, waiting};

/// What is kept of each name. A clone has the same ones.
pub(super) type Names = Arc<Mutex<BTreeMap<String, Kept>>>;

/// [`Leases`] on a map, for one caller.
pub(super) struct MemoryLeases {
    pub(super) names: Names,
    pub(super) chance: Chance,
}

impl MemoryLeases {
    /// Does it when the reply is polled, or not, and spoils its reply.
    fn call<'a, T: Send + 'a>(
        &'a self,
        name: &'a str,
        step: impl FnOnce(&Kept) -> Step<T> + Send + 'a,
    ) -> Reply<'a, T> {
        waiting(async move {
            check_name(name)?;
            let fault = self.chance.fault();
            fault.refuse()?;
            fault.before().await;
            let answer = self.now(name, step);
            fault.after().await?;
            Ok(answer)
        })
    }

    fn now<T>(&self, name: &str, step: impl FnOnce(&Kept) -> Step<T>) -> T {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let (new, answer) = step(&names.get(name).cloned().unwrap_or_default());
        if let Some(new) = new {
            names.insert(name.to_owned(), new);
        }
        answer
    }
}

impl Leases for MemoryLeases {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        term: Term,
    ) -> Reply<'a, Result<Lease, Held>> {
        let acquired = self.call(name, move |kept| kept.acquire(name, owner, term));
        waiting(async move {
            check_name(owner)?;
            acquired.await
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, until: SystemTime) -> Reply<'a, bool> {
        self.call(&lease.name, move |kept| kept.renew(lease, until))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Reply<'a, bool> {
        self.call(&lease.name, |kept| kept.release(lease))
    }

    fn holder<'a>(&'a self, name: &'a str, now: SystemTime) -> Reply<'a, Option<Lease>> {
        self.call(name, move |kept| (None, kept.holder(name, now)))
    }
}
