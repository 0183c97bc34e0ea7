//! A moment at which something is due.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, Zoned, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// A moment of the time of day: milliseconds since 1970 in UTC.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Slot(pub u64);

impl Slot {
    /// What the system says that it is.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self(millis(since.unwrap_or_default()))
    }

    /// So much later.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(millis(time)))
    }

    /// So much earlier.
    #[must_use]
    pub fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(millis(time)))
    }

    /// The time since `earlier`; none if that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// As a clock on the wall shows it, to the second.
    pub(super) fn on(self, zone: &TimeZone) -> Option<Zoned> {
        let seconds = i64::try_from(self.0 / 1000).ok()?;
        let moment = Timestamp::from_second(seconds).ok()?;
        Some(moment.to_zoned(zone.clone()))
    }

    pub(super) fn of(moment: Timestamp) -> Option<Self> {
        u64::try_from(moment.as_millisecond()).ok().map(Self)
    }
}

/// RFC 3339, in UTC.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = UNIX_EPOCH.checked_add(Duration::from_millis(self.0));
        match moment {
            // What is later than RFC 3339 can write is no time that anybody waits for.
            Some(moment) if self.0 < 253_402_300_800_000 => {
                humantime::format_rfc3339(moment).fmt(f)
            }
            _ => f.write_str("never"),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
