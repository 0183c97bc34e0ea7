//! Leases in a tree of their own, each an entry.

use std::sync::Arc;
use std::time::SystemTime;

use sled::IVec;

use super::committer::Committer;
use super::fault;
use crate::leases::{Kept, Step};
use crate::log::check_name;
use crate::{Held, Lease, Leases, Reply, StoreError, Term, ready, waiting};

/// [`Leases`] on a tree.
pub(super) struct SledLeases {
    pub(super) tree: sled::Tree,
    pub(super) committer: Arc<Committer>,
}

impl Leases for SledLeases {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        term: Term,
    ) -> Reply<'a, Result<Lease, Held>> {
        let change = || self.change(name, |kept| kept.acquire(name, owner, term));
        self.settled(check_name(owner).and_then(|()| change()))
    }

    fn renew<'a>(&'a self, lease: &'a Lease, until: SystemTime) -> Reply<'a, bool> {
        self.settled(self.change(&lease.name, |kept| kept.renew(lease, until)))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Reply<'a, bool> {
        self.settled(self.change(&lease.name, |kept| kept.release(lease)))
    }

    fn holder<'a>(&'a self, name: &'a str, now: SystemTime) -> Reply<'a, Option<Lease>> {
        let kept = check_name(name).and_then(|()| parse(self.raw(name)?.as_ref()));
        ready(kept.map(|kept| kept.holder(name, now)))
    }
}

impl SledLeases {
    /// Makes a change; says whether there was one, with the answer.
    fn change<T>(
        &self,
        name: &str,
        step: impl Fn(&Kept) -> Step<T>,
    ) -> Result<(bool, T), StoreError> {
        check_name(name)?;
        self.committer.check()?;
        loop {
            let old = self.raw(name)?;
            let (new, answer) = step(&parse(old.as_ref())?);
            let Some(new) = new else {
                return Ok((false, answer));
            };
            let new = serde_json::to_vec(&new).map_err(|fault| damaged(&fault))?;
            let swapped = self.tree.compare_and_swap(name, old, Some(new));
            if swapped
                .map_err(|error| fault("writing a lease", error))?
                .is_ok()
            {
                return Ok((true, answer));
            }
        }
    }

    /// The answer, once the change is on disk.
    fn settled<T: Send + 'static>(
        &self,
        changed: Result<(bool, T), StoreError>,
    ) -> Reply<'static, T> {
        match changed {
            Ok((true, answer)) => {
                let durable = self.committer.ticket(None);
                waiting(async move {
                    durable.await?;
                    Ok(answer)
                })
            }
            Ok((false, answer)) => ready(Ok(answer)),
            Err(error) => ready(Err(error)),
        }
    }

    fn raw(&self, name: &str) -> Result<Option<IVec>, StoreError> {
        let found = self.tree.get(name);
        found.map_err(|error| fault("reading a lease", error))
    }
}

fn parse(raw: Option<&IVec>) -> Result<Kept, StoreError> {
    let Some(raw) = raw else {
        return Ok(Kept::default());
    };
    serde_json::from_slice(raw).map_err(|fault| damaged(&fault))
}

fn damaged(fault: &serde_json::Error) -> StoreError {
    StoreError::Corrupt(format!("a lease has an unknown form: {fault}").into())
}
