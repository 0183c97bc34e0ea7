//! Cron lines, on a clock that now and then is put forward and back.
//!
//! The rule is that of Vixie cron and its heirs (Debian's `cron(8)`): a line that names
//! its hours and minutes is meant for a time of the day. Where the clock leaves that time
//! out, it is due once, right after; where the clock shows it twice, it is due the first
//! time. A line with a `*` for the hour or the minute is meant for all of them that pass:
//! it is due whenever the clock shows what it says.

use std::str::FromStr;

use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, CronDateTime};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::Slot;

/// A cron line that was read.
#[derive(Debug, Clone)]
pub struct Line {
    cron: Cron,
    meant: Meant,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meant {
    /// Times of the day.
    Times,
    /// Every hour or every minute.
    Whenever,
}

impl FromStr for Line {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build();
        let expected = || {
            format!(
                "expected a cron line of five fields such as \"0 3 * * *\", or six of which the first is of seconds, \
                 found {text:?}"
            )
        };
        let cron = parser
            .parse(text)
            .map_err(|fault| format!("{}: {fault}", expected()))?;
        let line = Self {
            cron,
            meant: meant(text),
        };
        match line.after(Slot::default(), &TimeZone::UTC) {
            Some(_) => Ok(line),
            None => Err(format!("{}, which never comes", expected())),
        }
    }
}

/// The fields of seconds, minutes and hours stand before three others.
fn meant(text: &str) -> Meant {
    let fields: Vec<_> = text.split_whitespace().collect();
    let of_day = fields.iter().take(fields.len().saturating_sub(3));
    let every_hour = text.trim().eq_ignore_ascii_case("@hourly");
    match every_hour || of_day.into_iter().any(|field| field.contains('*')) {
        true => Meant::Whenever,
        false => Meant::Times,
    }
}

impl Line {
    /// The first slot after a moment.
    pub(super) fn after(&self, moment: Slot, zone: &TimeZone) -> Option<Slot> {
        let shown = moment.on(zone)?;
        if self.meant == Meant::Whenever {
            let next = self.next(&shown)?;
            return Slot::of(next.timestamp()).filter(|next| *next > moment);
        }
        let mut time = shown.datetime();
        loop {
            time = self.next(&time)?;
            let due = Slot::of(due(time, zone)?)?;
            // The clock shows for the second time what was due at the first.
            if due > moment {
                return Some(due);
            }
        }
    }

    /// The last slot up to a moment.
    pub(super) fn up_to(&self, moment: Slot, zone: &TimeZone) -> Option<Slot> {
        let shown = moment.on(zone)?;
        if self.meant == Meant::Whenever {
            let last = self.previous(&shown)?;
            return Slot::of(last.timestamp()).filter(|last| *last <= moment);
        }
        // What the clock will show again was due at the first time already.
        let mut time = shown.datetime() + repeated(shown.datetime(), zone);
        loop {
            time = self.previous(&time)?;
            let due = Slot::of(due(time, zone)?)?;
            if due <= moment {
                return Some(due);
            }
            time = time.checked_sub(SignedDuration::from_secs(1)).ok()?;
        }
    }

    fn next<T: CronDateTime>(&self, after: &T) -> Option<T> {
        self.cron.find_next_occurrence(after, false).ok()
    }

    fn previous<T: CronDateTime>(&self, up_to: &T) -> Option<T> {
        self.cron.find_previous_occurrence(up_to, true).ok()
    }
}

/// When a time of the day is due.
fn due(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let at = |offset: Offset| offset.to_timestamp(time).ok();
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } => at(offset),
        AmbiguousOffset::Fold { before, .. } => at(before),
        // By the time that comes into force it has not come yet.
        AmbiguousOffset::Gap { after, .. } => {
            let end = zone.following(at(after)?).next()?;
            Some(end.timestamp())
        }
    }
}

/// How much of what the clock shows it shows twice, at a time of the day.
fn repeated(time: DateTime, zone: &TimeZone) -> SignedDuration {
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Fold { before, after } => {
            SignedDuration::from_secs(i64::from(before.seconds()) - i64::from(after.seconds()))
        }
        _ => SignedDuration::ZERO,
    }
}
