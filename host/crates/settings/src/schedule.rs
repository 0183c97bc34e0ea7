//! When a service's functions are called by the clock.

mod line;
mod slot;
mod times;
mod zone;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use line::Line;
pub use slot::Slot;
pub use times::Times;
pub use zone::zone;

/// When a function is called without anybody asking for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// Time from slot to slot; in place of `cron`.
    #[serde(
        with = "super::duration_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub every: Option<Duration>,
    /// A cron line; in place of `every`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Whose clock `cron` is read on: a name of the IANA database; `None` is UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// What becomes of slots in which the function could not be called.
    pub missed: Missed,
    /// Each call comes later than its slot by a random time up to this. None by default:
    /// few services mind that others begin in the same second.
    #[serde(with = "super::duration")]
    pub jitter: Duration,
    /// Wall time of a call; `None` is what each call of the service may take.
    #[serde(
        with = "super::duration_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub deadline: Option<Duration>,
}

/// What becomes of slots that pass while the host is down, or a call is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// Nothing: the next call is that of the next slot.
    Skip,
    /// One call for all of them, at once. A report that is late is better than none, and
    /// a hundred of the same are not.
    #[default]
    Once,
    /// A call for each, one after the other; but for the last [`Times::MOST_MADE_UP`] only.
    All,
}

impl Missed {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Skip, Self::Once, Self::All];

    /// As settings write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }
}

/// When its slots are, as the short form of a manifest says it, and where.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(every) = self.every {
            return write!(f, "every {}", humantime::format_duration(every));
        }
        f.write_str(self.cron.as_deref().unwrap_or("never"))?;
        match &self.timezone {
            Some(zone) => write!(f, " ({zone})"),
            None => Ok(()),
        }
    }
}
