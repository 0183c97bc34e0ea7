//! Schedules.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Check;
use crate::schedule::{Line, Schedule, zone};
use crate::{FunctionName, schedule};

/// The shortest time from slot to slot: each is written down before its call. What is
/// to happen more often is a loop of the service's own.
const LEAST_EVERY: Duration = Duration::from_secs(1);

pub(super) fn all(check: &mut Check, schedules: &BTreeMap<FunctionName, Schedule>) {
    for (function, schedule) in schedules {
        check.within(&function.to_string(), |check| one(check, schedule));
    }
}

fn one(check: &mut Check, schedule: &schedule::Schedule) {
    match (schedule.every, &schedule.cron) {
        (None, None) => check.whole(NEITHER),
        (Some(_), Some(_)) => check.whole("`every` and `cron` exclude each other: leave one out"),
        (Some(every), None) => {
            check.at_least("every", every, LEAST_EVERY);
            if schedule.timezone.is_some() {
                check.whole("`timezone` is for `cron`: leave it out");
            }
            if schedule.jitter > every {
                check.whole("`jitter` is above `every`");
            }
        }
        (None, Some(line)) => check.value("cron", line.parse::<Line>()),
    }
    if let Some(name) = &schedule.timezone {
        check.value("timezone", zone(name));
    }
    check.time("jitter", schedule.jitter);
    if let Some(deadline) = schedule.deadline {
        check.positive("deadline", deadline);
    }
}

/// What is told of a schedule without times.
pub(crate) const NEITHER: &str =
    "the schedule has neither `every` nor `cron`: say when, such as \"every 30s\" or \"0 3 * * *\"";
