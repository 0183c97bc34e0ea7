//! One immutable version of a service, ready to serve.

use std::collections::HashMap;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use super::contract::{Contract, InterfaceName};
use super::pool::Pool;
use super::reuse::Reuse;
use stoa_engine::{Code, FunctionIndex};
use stoa_settings::Settings;

/// A call that gets less than this part of the time that it may take was not the
/// callee's to answer in time.
const FAIR_PART: u32 = 4;

/// A component and the settings it was deployed with.
pub struct Revision {
    /// The service that it is a version of.
    pub service: Arc<str>,
    /// Counted for each service from 1.
    pub number: u64,
    /// SHA-256 of its component, in hex.
    pub component: String,
    /// What it was deployed with.
    pub settings: Arc<Settings>,
    /// What it imports and exports.
    pub contract: Arc<Contract>,
    /// Its compiled and linked component.
    pub code: Arc<Code>,
    /// How many calls an instance of it serves.
    pub reuse: Reuse,
    /// Its instances.
    pub pool: Arc<Pool>,
    /// Version track of an interface → function → where it is.
    exports: HashMap<String, HashMap<String, FunctionIndex>>,
    /// Whether it was told that its trailers are lost.
    told_of_trailers: Once,
}

/// What makes a [`Revision`].
pub struct Parts {
    /// The service's name.
    pub service: Arc<str>,
    /// The revision's number.
    pub number: u64,
    /// SHA-256 of its component, in hex.
    pub component: String,
    /// What it is deployed with.
    pub settings: Arc<Settings>,
    /// What its component imports and exports.
    pub contract: Arc<Contract>,
    /// Its linked component.
    pub code: Arc<Code>,
    /// How many calls an instance of it serves.
    pub reuse: Reuse,
    /// Its pool.
    pub pool: Arc<Pool>,
}

impl Revision {
    /// Puts a revision together.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            service,
            number,
            component,
            settings,
            contract,
            code,
            reuse,
            pool,
        } = parts;
        let mut exports: HashMap<String, HashMap<String, FunctionIndex>> = HashMap::new();
        for (index, function) in code.functions_indexed() {
            let Ok(interface) = function.interface.parse::<InterfaceName>() else {
                continue;
            };
            exports
                .entry(interface.track())
                .or_default()
                .insert(function.function.clone(), index);
        }
        Self {
            service,
            number,
            component,
            settings,
            contract,
            code,
            reuse,
            pool,
            exports,
            told_of_trailers: Once::new(),
        }
    }

    /// An exported function, by [`InterfaceName::track`] and name.
    pub fn find(&self, track: &str, function: &str) -> Option<FunctionIndex> {
        self.exports.get(track)?.get(function).copied()
    }

    /// A client did not get the trailers of an answer of its own handler. Told once.
    pub fn loses_trailers(&self) {
        self.told_of_trailers.call_once(|| {
            tracing::debug!(
                service.name = &*self.service,
                service.version = self.number,
                "trailers of an answer are lost over HTTP/1.1: expected the answer's head to announce their names in a \
                 field `Trailer`"
            );
        });
    }

    /// The tracks of the interfaces with functions that it exports.
    pub fn tracks(&self) -> impl Iterator<Item = &str> {
        self.exports.keys().map(String::as_str)
    }

    /// When a call that begins now must have ended, if its caller waits until `caller`.
    pub fn deadline(&self, caller: Option<Instant>) -> Instant {
        let own = Instant::now() + self.settings.limits.deadline;
        caller.map_or(own, |caller| own.min(caller))
    }

    /// Whether a call that begins at `began` and must have ended by `deadline` has a
    /// good part of the time that a call may take.
    pub fn has_fair_time(&self, began: Instant, deadline: Instant) -> bool {
        is_fair(
            deadline.saturating_duration_since(began),
            self.settings.limits.deadline,
        )
    }
}

/// Whether a call that has so much time `left` has a good part of its `own`, the time
/// that it may take.
pub fn is_fair(left: Duration, own: Duration) -> bool {
    left.saturating_mul(FAIR_PART) >= own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_part_of_the_time_is_fair() {
        let own = Duration::from_secs(4);
        assert!(is_fair(own, own) && is_fair(own / FAIR_PART, own));
        assert!(!is_fair(Duration::from_millis(1), own));
    }
}
