//! How many connections each address has, and how many there may be in all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Open files that are left to the host itself: its store, components, the log, the
/// admin API and its clients.
const OWN_FILES: usize = 128;

/// Connections by address.
pub struct Peers {
    open: Mutex<HashMap<IpAddr, usize>>,
    most: usize,
}

/// A connection of an address, until it is dropped.
pub struct Seat {
    peers: Arc<Peers>,
    address: IpAddr,
}

impl Peers {
    /// Each address may have so many connections.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::default(),
            most,
        })
    }

    /// One more connection, unless the address has as many as it may have.
    pub fn seat(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let address = network(address);
        let mut open = self.lock();
        let count = open.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Seat {
            peers: Arc::clone(self),
            address,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Entry::Occupied(mut open) = self.peers.lock().entry(self.address) {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

/// What one client has: an address, or a /64 in IPv6, RFC 4291 section 2.5.4.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

/// Connections at most: as many as are `wanted`, but fewer than the system lets the
/// process open, so that clients can't take the files that the host itself needs.
pub fn room(wanted: usize) -> usize {
    let Some(files) = open_files() else {
        return wanted;
    };
    let most = files - OWN_FILES.min(files / 2);
    if wanted > most {
        tracing::info!(
            "the process may open {files} files, so that at most {most} connections are taken, \
             not {wanted}: raise it with ulimit -Hn"
        );
    }
    wanted.min(most)
}

/// Files that the process may open: all that the system allows it, where its shell
/// began with less.
fn open_files() -> Option<usize> {
    let files = rlimit::increase_nofile_limit(u64::MAX).ok()?;
    usize::try_from(files).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_seats_and_no_more() {
        let peers = Peers::new(2);
        let seat = |address: &str| peers.seat(address.parse().unwrap());
        let first = seat("192.0.2.1").unwrap();
        let _second = seat("::ffff:192.0.2.1").unwrap();
        assert!(seat("192.0.2.1").is_none());
        let _others = (seat("192.0.2.2").unwrap(), seat("2001:db8::1").unwrap());
        drop(first);
        let _third = seat("192.0.2.1").unwrap();
        let _same_network = seat("2001:db8::2").unwrap();
        assert!(seat("2001:db8::3").is_none());
        assert!(seat("2001:db8:0:1::1").is_some());
        assert_eq!(peers.lock().len(), 3, "who has gone takes no room");
    }
}
