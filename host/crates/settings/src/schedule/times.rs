//! The slots of a schedule: which come next, which have passed.

use std::collections::VecDeque;

use jiff::tz::TimeZone;

use super::{Line, Schedule, Slot, zone};

/// The slots of a schedule.
#[derive(Debug, Clone)]
pub struct Times(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// All whole multiples of these milliseconds since 1970.
    Every(u64),
    Line(Box<(Line, TimeZone)>),
}

impl Times {
    /// Slots for which a call is made up: an hour of a schedule of every 36 s, a hundred
    /// days of a daily one. Who missed more would be busy for long with what nobody
    /// waits for any more.
    pub const MOST_MADE_UP: usize = 100;

    /// Slots that are looked back on. Who missed more has missed so many at least.
    const MOST_COUNTED: usize = 1000;

    /// The slots of these settings.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn of(schedule: &Schedule) -> Result<Self, String> {
        let kind = match (schedule.every, &schedule.cron) {
            (Some(every), _) => {
                let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
                Kind::Every(every.max(1))
            }
            (None, Some(line)) => {
                let zone = schedule
                    .timezone
                    .as_deref()
                    .map_or(Ok(TimeZone::UTC), zone)?;
                Kind::Line(Box::new((line.parse()?, zone)))
            }
            (None, None) => return Err("it has neither `every` nor `cron`".to_owned()),
        };
        Ok(Self(kind))
    }

    /// The first slot after a moment. None if there is no other.
    pub fn after(&self, moment: Slot) -> Option<Slot> {
        match &self.0 {
            Kind::Every(every) => {
                let number = moment.0 / every + 1;
                number.checked_mul(*every).map(Slot)
            }
            Kind::Line(line) => line.0.after(moment, &line.1),
        }
    }

    /// The slots later than `after`, up to `now`, ascending: the last of them, if there
    /// are very many.
    pub fn passed(&self, after: Slot, now: Slot) -> VecDeque<Slot> {
        let mut found = VecDeque::new();
        let mut up_to = now;
        while let Some(slot) = self.up_to(up_to).filter(|slot| *slot > after)
            && found.len() < Self::MOST_COUNTED
        {
            found.push_front(slot);
            up_to = Slot(slot.0.saturating_sub(1));
        }
        found
    }

    fn up_to(&self, moment: Slot) -> Option<Slot> {
        match &self.0 {
            Kind::Every(every) => Some(Slot(moment.0 / every * every)),
            Kind::Line(line) => line.0.up_to(moment, &line.1),
        }
    }
}

#[cfg(test)]
mod tests;
