//! Slots against those of another implementation, on days on which clocks are changed,
//! and whatever the line is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;

/// Where it comes from is told in its head.
const CRONITER: &str = include_str!("tests/croniter.txt");

fn slot(text: &str) -> Slot {
    let moment = humantime::parse_rfc3339(text);
    let since = moment
        .ok()
        .and_then(|moment: SystemTime| moment.duration_since(UNIX_EPOCH).ok());
    Slot::default().plus(since.unwrap_or_else(|| panic!("{text}")))
}

fn cron(line: &str, zone: &str) -> Times {
    let schedule = Schedule {
        cron: Some(line.to_owned()),
        timezone: Some(zone.to_owned()),
        ..Schedule::default()
    };
    Times::of(&schedule).unwrap_or_else(|fault| panic!("{fault}"))
}

fn every(every: Duration) -> Times {
    let schedule = Schedule {
        every: Some(every),
        ..Schedule::default()
    };
    Times::of(&schedule).unwrap()
}

/// The next slots after a moment.
fn following(times: &Times, after: Slot, count: usize) -> Vec<Slot> {
    let next = |slot: &Slot| times.after(*slot);
    std::iter::successors(times.after(after), next)
        .take(count)
        .collect()
}

#[test]
fn slots_are_those_of_another_implementation() {
    let rows = CRONITER.lines().filter(|line| !line.starts_with("# "));
    let mut count = 0;
    for row in rows {
        let cells: Vec<_> = row.split(" | ").collect();
        let [line, zone, after, slots] = cells[..] else {
            panic!("{row}");
        };
        let expected: Vec<_> = slots.split(' ').map(slot).collect();
        let times = cron(line, zone);
        assert_eq!(
            following(&times, slot(after), expected.len()),
            expected,
            "{row}"
        );
        let last = expected[expected.len() - 1];
        assert_eq!(times.passed(slot(after), last), expected, "{row}");
        count += 1;
    }
    assert!(count > 80, "{count} rows");
}

/// Line, zone, the time before, and the slots that follow, in UTC.
type Day = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

const ATHENS: &str = "Europe/Athens";

const DAYS: &[Day] = &[
    // 03:00 to 04:00 is left out: once, right after.
    (
        "30 3 * * *",
        ATHENS,
        "2026-03-28T12:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
    ),
    (
        "0,30 3 * * *",
        ATHENS,
        "2026-03-28T12:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"],
    ),
    (
        "30 3,4 * * *",
        ATHENS,
        "2026-03-28T12:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
    ),
    (
        "0 4 * * *",
        ATHENS,
        "2026-03-28T12:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"],
    ),
    (
        "0 2 * * *",
        ATHENS,
        "2026-03-28T12:00:00Z",
        &["2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z"],
    ),
    // 03:00 to 04:00 is there twice: the first time only.
    (
        "30 3 * * *",
        ATHENS,
        "2026-10-24T12:00:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
    ),
    (
        "30 2,3 * * *",
        ATHENS,
        "2026-10-24T22:00:00Z",
        &[
            "2026-10-24T23:30:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-26T00:30:00Z",
        ],
    ),
    (
        "0 4 * * *",
        ATHENS,
        "2026-10-25T00:10:00Z",
        &["2026-10-25T02:00:00Z"],
    ),
    // Every hour is every hour.
    (
        "15 * * * *",
        ATHENS,
        "2026-03-29T00:00:00Z",
        &["2026-03-29T00:15:00Z", "2026-03-29T01:15:00Z"],
    ),
    (
        "15 * * * *",
        ATHENS,
        "2026-10-24T23:30:00Z",
        &[
            "2026-10-25T00:15:00Z",
            "2026-10-25T01:15:00Z",
            "2026-10-25T02:15:00Z",
        ],
    ),
    (
        "@hourly",
        ATHENS,
        "2026-10-25T00:00:00Z",
        &["2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"],
    ),
    // Half an hour, on the other half of the world.
    (
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-03T12:00:00Z",
        &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
    ),
    (
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2026-04-04T12:00:00Z",
        &["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
    ),
    // A whole day was left out.
    (
        "0 9 30 12 *",
        "Pacific/Apia",
        "2011-06-01T00:00:00Z",
        &["2011-12-30T10:00:00Z", "2012-12-29T19:00:00Z"],
    ),
];

#[test]
fn a_clock_that_is_changed_leaves_out_no_slot_and_doubles_none() {
    for (line, zone, after, expected) in DAYS {
        let expected: Vec<_> = expected.iter().copied().map(slot).collect();
        let times = cron(line, zone);
        let found = following(&times, slot(after), expected.len());
        let shown: Vec<_> = found.iter().map(Slot::to_string).collect();
        assert_eq!(found, expected, "{line} in {zone} after {after}: {shown:?}");
        let last = expected[expected.len() - 1];
        assert_eq!(
            times.passed(slot(after), last),
            expected,
            "{line} in {zone}"
        );
    }
}

#[test]
fn the_second_showing_of_an_hour_has_no_slot_of_a_time_of_the_day() {
    let times = cron("30 3 * * *", ATHENS);
    let within = slot("2026-10-25T01:10:00Z");
    assert_eq!(times.after(within), Some(slot("2026-10-26T01:30:00Z")));
    let passed = times.passed(slot("2026-10-24T12:00:00Z"), within);
    assert_eq!(passed, [slot("2026-10-25T00:30:00Z")]);
}

#[test]
fn each_thirty_seconds_are_those_of_the_clock() {
    let times = every(Duration::from_secs(30));
    let found = following(&times, slot("2026-01-01T00:00:07.5Z"), 2);
    let expected = ["2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z"].map(slot);
    assert_eq!(found, expected);
    assert_eq!(times.after(expected[0]), Some(expected[1]));
}

#[test]
fn what_passed_long_ago_is_counted_up_to_a_bound() {
    let times = every(Duration::from_secs(1));
    let now = slot("2026-01-01T00:00:00Z");
    let passed = times.passed(Slot::default(), now);
    assert_eq!(passed.len(), Times::MOST_COUNTED);
    assert_eq!(passed.back(), Some(&now));
}

#[test]
fn a_line_that_never_comes_is_none() {
    for line in [
        "0 0 30 2 *",
        "",
        "* * * *",
        "* * * * * * *",
        "61 * * * *",
        "@never",
        "0/5 * * * *",
        "a b c d e",
    ] {
        assert!(line.parse::<Line>().is_err(), "{line}");
    }
    for line in ["@daily", "0 0 29 2 *", "0 3 * * MON", "*/5 * * * * *"] {
        assert!(line.parse::<Line>().is_ok(), "{line}");
    }
}

#[test]
fn days_of_a_month_may_be_named_by_their_weekdays() {
    let from = slot("2026-08-01T00:00:00Z");
    for (line, expected) in [
        ("0 0 * * 5#L", "2026-08-28T00:00:00Z"),
        ("0 0 * * FRI#2", "2026-08-14T00:00:00Z"),
        ("0 0 15W * *", "2026-08-14T00:00:00Z"),
        ("0 0 1 * +MON", "2027-02-01T00:00:00Z"),
        ("0 0 13 * FRI", "2026-08-07T00:00:00Z"),
        ("@weekly", "2026-08-02T00:00:00Z"),
        ("@yearly", "2027-01-01T00:00:00Z"),
    ] {
        assert_eq!(
            cron(line, "UTC").after(from),
            Some(slot(expected)),
            "{line}"
        );
    }
}

#[test]
fn a_slot_is_written_as_a_time() {
    let text = "2026-03-29T01:00:00Z";
    assert_eq!(slot(text).to_string(), text);
    assert_eq!(Slot(u64::MAX).to_string(), "never");
}

/// Lines of all kinds.
fn lines() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        "[0-9]",
        "[1-5][0-9]",
        Just("*/7".into()),
        Just("*".into()),
        Just("0,30".into())
    ];
    let hour = prop_oneof![
        "[0-9]",
        "2[0-3]",
        Just("*".into()),
        Just("1-4".into()),
        Just("*/3".into())
    ];
    let day = prop_oneof![Just("*".into()), "[1-9]", "2[0-8]"];
    let weekday = prop_oneof![Just("*".to_owned()), Just("0".into()), Just("1-5".into())];
    (minute, hour, day, weekday)
        .prop_map(|(m, h, d, w): (String, String, String, String)| format!("{m} {h} {d} * {w}"))
}

fn zones() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "UTC",
        "Europe/Athens",
        "America/New_York",
        "Australia/Lord_Howe",
        "America/Santiago",
        "Africa/Casablanca",
    ])
}

proptest! {
    /// From any moment on, in any zone: slots ascend, and looking back finds the same.
    #[test]
    fn slots_ascend_and_are_the_same_looked_back_on(
        line in lines(),
        zone in zones(),
        from in 1_700_000_000_000u64..1_830_000_000_000,
    ) {
        let (times, from) = (cron(&line, zone), Slot(from));
        let found = following(&times, from, 40);
        prop_assert!(found.first().is_none_or(|first| *first > from));
        prop_assert!(found.is_sorted_by(|one, next| one < next), "{found:?}");
        let last = found.last().copied().unwrap_or(from);
        prop_assert_eq!(times.passed(from, last), found);
    }

    /// On the very days on which the clock is changed.
    #[test]
    fn days_of_change_are_no_exception(
        line in lines(),
        (zone, change) in prop::sample::select(vec![
            ("Europe/Athens", "2026-03-29T01:00:00Z"),
            ("Europe/Athens", "2026-10-25T01:00:00Z"),
            ("America/New_York", "2026-11-01T06:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
        ]),
        before in 0u64..200,
    ) {
        let (times, change) = (cron(&line, zone), slot(change));
        let from = change.minus(Duration::from_secs(before * 60));
        let until = change.plus(Duration::from_secs(4 * 3600));
        let found = following(&times, from, 500);
        let found: Vec<_> = found.into_iter().take_while(|slot| *slot <= until).collect();
        prop_assert!(found.is_sorted_by(|one, next| one < next), "{found:?}");
        prop_assert_eq!(times.passed(from, until), found);
    }
}
