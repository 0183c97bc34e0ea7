//! Who does what only one host may do at a time.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::Reply;
use super::log::{Millis, millis, time};

/// Named leases, durable: of many hosts one holds each, until its end.
///
/// A name, and an owner's, has 1 to [`MAX_NAME`](crate::log::MAX_NAME) bytes and no
/// control characters. Times are kept in milliseconds. They are the hosts' own, whose
/// clocks differ: a lease should be much longer than they do, and who holds one should
/// renew it long before its end. What must not be done twice even so is written together
/// with [`Lease::fence`], and refused where a greater one was written before.
///
/// # Errors
/// Every method gives [`StoreError`](crate::StoreError) when the engine fails, and
/// [`StoreError::BadName`](crate::StoreError::BadName) for a name that can't be one.
/// After an error a change may have been made or not: to acquire again is safe.
pub trait Leases: Send + Sync {
    /// Takes a lease, if nobody else holds it. An owner that holds it gets it anew, so
    /// that one who died need not wait: what it had before is lost.
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        term: Term,
    ) -> Reply<'a, Result<Lease, Held>>;

    /// Keeps a lease until then. False if it was lost: it was released, or acquired
    /// after its end. One that ended holds until it is acquired.
    fn renew<'a>(&'a self, lease: &'a Lease, until: SystemTime) -> Reply<'a, bool>;

    /// Lets go of a lease: the next one need not wait for its end. False if it was lost.
    fn release<'a>(&'a self, lease: &'a Lease) -> Reply<'a, bool>;

    /// Who holds a lease at `now`, as far as it is known. For people: it may be over
    /// when the reply is there.
    fn holder<'a>(&'a self, name: &'a str, now: SystemTime) -> Reply<'a, Option<Lease>>;
}

/// How long a lease is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// A lease whose end this is, or is before it, is nobody's.
    pub now: SystemTime,
    /// Its end.
    pub until: SystemTime,
}

/// A lease that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What of.
    pub name: String,
    /// Who.
    pub owner: String,
    /// Its end, when it was acquired or looked at.
    pub until: SystemTime,
    /// Greater than that of every lease of this name before.
    pub fence: u64,
}

/// Another one holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held(pub Lease);

/// What is kept of a name. It stays for ever, as its numbers must grow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The last one that was given out.
    fence: u64,
    owner: Option<String>,
    until: Millis,
}

/// What is to be kept, if it is something else, and the answer.
pub(crate) type Step<T> = (Option<Kept>, T);

// === impl Kept ===

impl Kept {
    /// See [`Leases::acquire`].
    pub(crate) fn acquire(&self, name: &str, owner: &str, term: Term) -> Step<Result<Lease, Held>> {
        if let Some(held) = self.holder(name, term.now)
            && held.owner != owner
        {
            return (None, Err(Held(held)));
        }
        let next = Self {
            fence: self.fence + 1,
            owner: Some(owner.to_owned()),
            until: millis(term.until),
        };
        let lease = next.lease(name, owner);
        (Some(next), Ok(lease))
    }

    /// See [`Leases::renew`].
    pub(crate) fn renew(&self, lease: &Lease, until: SystemTime) -> Step<bool> {
        let renewed = || Self {
            until: millis(until),
            ..self.clone()
        };
        let holds = self.is(lease);
        (holds.then(renewed), holds)
    }

    /// See [`Leases::release`].
    pub(crate) fn release(&self, lease: &Lease) -> Step<bool> {
        let released = || Self {
            fence: self.fence,
            ..Self::default()
        };
        let holds = self.is(lease);
        (holds.then(released), holds)
    }

    /// See [`Leases::holder`].
    pub(crate) fn holder(&self, name: &str, now: SystemTime) -> Option<Lease> {
        let owner = self.owner.as_ref()?;
        (self.until > millis(now)).then(|| self.lease(name, owner))
    }

    fn is(&self, lease: &Lease) -> bool {
        self.owner.is_some() && self.fence == lease.fence
    }

    fn lease(&self, name: &str, owner: &str) -> Lease {
        Lease {
            name: name.to_owned(),
            owner: owner.to_owned(),
            until: time(self.until),
            fence: self.fence,
        }
    }
}
