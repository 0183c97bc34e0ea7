//! How much a record matters.

use std::fmt;
use std::str::FromStr;

/// From least to most important, so `level >= Level::Warn` reads as it says.
///
/// The host uses up to `Error`; `Critical` comes from `wasi:logging`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Each step, for whoever debugs the code.
    Trace,
    /// What helps to find a fault.
    Debug,
    /// What an operator wants to know on a good day.
    #[default]
    Info,
    /// Something is wrong, and was coped with.
    Warn,
    /// Something failed.
    Error,
    /// The service can't go on.
    Critical,
}

/// A word that names no [`Level`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a level (trace, debug, info, warn, error or critical), found {0:?}")]
pub struct UnknownLevel(String);

const NAMES: [(Level, &str); 6] = [
    (Level::Trace, "trace"),
    (Level::Debug, "debug"),
    (Level::Info, "info"),
    (Level::Warn, "warn"),
    (Level::Error, "error"),
    (Level::Critical, "critical"),
];

impl Level {
    /// The word for it in `log.level`.
    pub fn as_str(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// The level that decides whether a filter lets it pass.
    pub(super) fn for_filter(self) -> tracing::Level {
        match self {
            Self::Trace => tracing::Level::TRACE,
            Self::Debug => tracing::Level::DEBUG,
            Self::Info => tracing::Level::INFO,
            Self::Warn => tracing::Level::WARN,
            Self::Error | Self::Critical => tracing::Level::ERROR,
        }
    }
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::TRACE => Self::Trace,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::INFO => Self::Info,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::ERROR => Self::Error,
        }
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let found = NAMES
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(text));
        match found {
            Some((level, _)) => Ok(*level),
            None => Err(UnknownLevel(text.to_owned())),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_levels_match_both_ways() {
        for (level, name) in NAMES {
            assert_eq!(level.as_str(), name);
            assert_eq!(name.to_uppercase().parse(), Ok(level));
        }
        let error = "warning".parse::<Level>().unwrap_err().to_string();
        assert!(
            error.contains("\"warning\"") && error.contains("warn,"),
            "{error}"
        );
    }
}
