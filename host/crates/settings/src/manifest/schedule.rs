//! `[service.NAME.schedules]`: functions that the clock calls,
//! `"shop:order/reports.daily" = { cron = "0 3 * * *", timezone = "Europe/Athens" }`.

use std::collections::BTreeMap;

use super::keys::Keys;
use crate::FunctionName;
use crate::check::schedule::NEITHER;
use crate::config::document::{Entry, expected};
use crate::config::values::{duration, word};
use crate::schedule::{Missed, Schedule};

const SCHEDULE: Keys<Schedule> = Keys(&[
    ("every", |it, e| {
        e.set(&mut it.every, |v| duration(v).map(Some));
    }),
    ("cron", |it, e| it.cron = e.string()),
    ("timezone", |it, e| it.timezone = e.string()),
    ("missed", |it, e| {
        let words = Missed::ALL.map(|missed| (missed.name(), missed));
        e.set(&mut it.missed, |v| word(v, &words));
    }),
    ("jitter", |it, e| e.set(&mut it.jitter, duration)),
    ("deadline", |it, e| {
        e.set(&mut it.deadline, |v| duration(v).map(Some));
    }),
]);

/// Reads the table of a service's schedules.
pub fn schedules(entry: &mut Entry<'_, '_>) -> BTreeMap<FunctionName, Schedule> {
    let mut schedules = BTreeMap::new();
    entry.each(&entry.below(), |entry| {
        let function = match FunctionName::try_from(entry.name().to_owned()) {
            Ok(function) => function,
            Err(fault) => return entry.fault(fault),
        };
        if schedules.contains_key(&function) {
            entry.fault(format!("the schedule of {function} is there twice"));
        }
        if let Some(schedule) = schedule(entry) {
            schedules.insert(function, schedule);
        }
    });
    schedules
}

/// Reads one, short or as a table. None where it does not say when: that is told.
fn schedule(entry: &mut Entry<'_, '_>) -> Option<Schedule> {
    let found = entry.value.get_ref();
    if let Some(text) = found.as_str() {
        return entry.check(short(text));
    }
    if !found.is_table() {
        let what = "when, such as \"every 30s\", \"0 3 * * *\" or { cron = \"0 3 * * *\", missed = \"skip\" }";
        return entry.check(Err(expected(what, found)));
    }
    let mut schedule = Schedule::default();
    let section = entry.section;
    entry.each(section, |entry| entry.read(&mut schedule, &SCHEDULE));
    if !entry.has("every") && !entry.has("cron") {
        entry.fault(NEITHER);
    }
    (schedule.every.is_some() || schedule.cron.is_some()).then_some(schedule)
}

/// `every 30s`, or a cron line.
fn short(text: &str) -> Result<Schedule, String> {
    match text.trim_start().strip_prefix("every") {
        Some(time) => Ok(Schedule {
            every: Some(duration(time.trim())?),
            ..Schedule::default()
        }),
        None => Ok(Schedule {
            cron: Some(text.to_owned()),
            ..Schedule::default()
        }),
    }
}
