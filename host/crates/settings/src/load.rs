//! How a service behaves when there is more to do than it can do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a call matters when not all can be served. The calls that it makes
/// of other services inherit it.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Served when nothing else waits, given up first.
    Low,
    /// What most calls are.
    #[default]
    Normal,
    /// Served first, given up last: what the business lives from, health checks.
    High,
}

impl Priority {
    /// All of them, from the least.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// As settings, logs and messages write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }

    /// Whether it is what a route without one has.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What becomes of a call that has begun when its client leaves. One that waits for
/// its turn ends in any case: nothing of it has happened.
///
/// A route without one cancels calls of safe methods (RFC 9110, section 9.2.1), which
/// only cost their time then, and finishes others: what they change may matter, and who
/// asks again should find it done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDisconnect {
    /// It ends.
    Cancel,
    /// It goes on, and nobody gets its answer.
    Finish,
}

impl OnDisconnect {
    /// As the manifest writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Finish => "finish",
        }
    }
}

/// Which threads serve a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Those that serve requests: somebody waits for the answer.
    #[default]
    Interactive,
    /// Threads of their own, which run when no other has something to do: reports,
    /// imports, images. However much it computes, the others don't notice.
    Batch,
}

/// How many calls of a service are worked on at the same time; the rest waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Concurrency {
    /// As many as compute on the cores of the machine, where more would only share them.
    /// Calls that wait for others, or for the store, do not count: there may be as many
    /// as the pool has room for.
    #[default]
    Adaptive,
    /// As many as the pool has room for.
    Off,
    /// This many.
    AtMost(u32),
}

/// A [`Concurrency`] as it is written: `"adaptive"`, `"off"` or a number.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u32),
    Word(String),
}

impl std::str::FromStr for Concurrency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "adaptive" => Ok(Self::Adaptive),
            "off" => Ok(Self::Off),
            number => match number.parse() {
                Ok(calls) if calls > 0 => Ok(Self::AtMost(calls)),
                _ => Err(format!(
                    "expected \"adaptive\", \"off\" or a number of calls from 1, found {text:?}"
                )),
            },
        }
    }
}

impl TryFrom<Written> for Concurrency {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(calls) => calls.to_string().parse(),
            Written::Word(word) => word.parse(),
        }
    }
}

impl From<Concurrency> for Written {
    fn from(concurrency: Concurrency) -> Self {
        match concurrency {
            Concurrency::Adaptive => Self::Word("adaptive".to_owned()),
            Concurrency::Off => Self::Word("off".to_owned()),
            Concurrency::AtMost(calls) => Self::Number(calls),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concurrency_is_a_word_or_a_number() {
        for (text, expected) in [
            ("\"adaptive\"", Concurrency::Adaptive),
            ("\"off\"", Concurrency::Off),
            ("7", Concurrency::AtMost(7)),
        ] {
            let read: Concurrency = serde_json::from_str(text).unwrap();
            assert_eq!(read, expected);
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
        for text in ["0", "\"many\"", "-1"] {
            assert!(serde_json::from_str::<Concurrency>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn priorities_rise() {
        assert!(Priority::ALL.is_sorted());
        assert_eq!(Priority::default(), Priority::Normal);
    }
}
