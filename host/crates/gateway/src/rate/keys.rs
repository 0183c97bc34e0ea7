//! Who is counted: small keys without allocations, and not too many of them.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use governor::nanos::Nanos;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::state::{InMemoryState, NotKeyed, StateStore};

use stoa_call::Principal;

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Everyone,
    /// A principal, by a keyed hash of its name and issuer: nobody can make two alike.
    Principal(u64),
    V4([u8; 4]),
    /// A network of /64, which is what one customer gets at least.
    V6([u8; 8]),
}

impl Key {
    pub(super) fn address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }

    pub(super) fn principal(principal: &Principal, hashing: &RandomState) -> Self {
        Self::Principal(hashing.hash_one((principal.issuer(), principal.subject.as_str())))
    }
}

/// When each caller may send again. Beyond the most that are kept, new callers
/// share one place: addresses that cost nothing can't fill the memory, and who
/// is known already is not disturbed by them.
pub(super) struct Keys {
    known: DashMapStateStore<Key>,
    most: usize,
    others: InMemoryState,
}

impl Keys {
    pub(super) fn new(most: usize) -> Self {
        Self {
            known: DashMapStateStore::default(),
            most,
            others: InMemoryState::default(),
        }
    }
}

impl StateStore for Keys {
    type Key = Key;

    fn measure_and_replace<T, F, E>(&self, key: &Key, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if let Some(state) = self.known.get(key) {
            return state.measure_and_replace(&NotKeyed::NonKey, measure);
        }
        if self.known.len() >= self.most {
            return self.others.measure_and_replace(&NotKeyed::NonKey, measure);
        }
        self.known.measure_and_replace(key, measure)
    }
}

impl ShrinkableKeyedStateStore<Key> for Keys {
    fn retain_recent(&self, drop_below: Nanos) {
        self.known.retain_recent(drop_below);
        if self.known.capacity() > 4 * self.known.len() {
            self.known.shrink_to_fit();
        }
    }

    fn len(&self) -> usize {
        self.known.len()
    }

    fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
