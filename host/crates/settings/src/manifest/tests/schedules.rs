//! When functions are called by the clock.

use super::*;
use crate::schedule::{Missed, Schedule};

#[test]
fn a_schedule_is_short_or_a_table() {
    let lines = "[service.product.schedules]\n\
        \"shop:a/b.c\" = \"every 1m 30s\"\n\
        \"shop:a/b.d\" = \"0 3 * * MON-FRI\"\n\
        \"shop:a/b@0.1.0.e\" = { cron = \"30 0 3 * * *\", timezone = \"Europe/Athens\", missed = \"all\", \
        jitter = \"10s\", deadline = \"5m\" }";
    let settings = settings(lines);
    let of = |function: &str| {
        let name = function.to_owned().try_into().unwrap();
        settings.schedules[&name].clone()
    };
    assert_eq!(of("shop:a/b.c").every, Some(Duration::from_secs(90)));
    assert_eq!(of("shop:a/b.c").missed, Missed::Once);
    assert_eq!(of("shop:a/b.d").cron.as_deref(), Some("0 3 * * MON-FRI"));
    let expected = Schedule {
        every: None,
        cron: Some("30 0 3 * * *".to_owned()),
        timezone: Some("Europe/Athens".to_owned()),
        missed: Missed::All,
        jitter: Duration::from_secs(10),
        deadline: Some(Duration::from_secs(300)),
    };
    assert_eq!(of("shop:a/b.e"), expected);
    let json = serde_json::to_value(&settings).unwrap();
    assert_eq!(serde_json::from_value::<Settings>(json).unwrap(), settings);
}

#[test]
fn each_fault_of_a_schedule_says_what_to_do() {
    let cases = [
        (
            "\"expire\" = \"every 30s\"",
            "4: expected PACKAGE/INTERFACE.FUNCTION such as shop:product/products.get, found \"expire\"",
        ),
        (
            "\"a:b/c.d\" = 30",
            "4: `a:b/c.d`: expected when, such as \"every 30s\", \"0 3 * * *\" or { cron = \"0 3 * * *\", missed = \"skip\" }, found an integer",
        ),
        (
            "\"a:b/c.d\" = \"every day\"",
            "4: `a:b/c.d`: expected a duration such as \"250ms\" or \"10s\", found \"day\"",
        ),
        (
            "\"a:b/c.d\" = \"every 250ms\"",
            "4: `every`: expected a time of 1s at least, found \"250ms\"",
        ),
        (
            "\"a:b/c.d\" = \"0 0 30 2 *\"",
            "4: `cron`: expected a cron line of five fields such as \"0 3 * * *\", or six of which the first is of seconds, found \"0 0 30 2 *\", which never comes",
        ),
        (
            "\"a:b/c.d\" = { missed = \"once\" }",
            "4: the schedule has neither `every` nor `cron`: say when, such as \"every 30s\" or \"0 3 * * *\"",
        ),
        (
            "\"a:b/c.d\" = { every = \"1h\", cron = \"0 * * * *\" }",
            "4: `every` and `cron` exclude each other: leave one out",
        ),
        (
            "\"a:b/c.d\" = { every = \"1h\", timezone = \"UTC\" }",
            "4: `timezone` is for `cron`: leave it out",
        ),
        (
            "\"a:b/c.d\" = { every = \"1h\", jitter = \"2h\" }",
            "4: `jitter` is above `every`",
        ),
        (
            "\"a:b/c.d\" = { cron = \"0 3 * * *\", timezone = \"Europe/Athen\" }",
            "4: `timezone`: expected a time zone such as \"Europe/Athens\", found \"Europe/Athen\": did you mean \"Europe/Athens\"?",
        ),
        (
            "\"a:b/c.d\" = { every = \"1h\", mised = \"skip\" }",
            "4: unknown key `mised` in [service.product.schedules]: did you mean `missed`?",
        ),
        (
            "\"a:b/c.d\" = { every = \"1h\", missed = \"twice\" }",
            "4: `missed`: expected \"skip\" or \"once\" or \"all\", found \"twice\"",
        ),
        (
            "\"a:b/c.d\" = { every = \"1h\", deadline = \"0s\" }",
            "4: `deadline`: expected a time of 1ms at least, found \"0s\"",
        ),
        (
            "\"a:b/c.d\" = \"every 1h\"\n\"a:b/c@1.0.0.d\" = \"every 1h\"",
            "5: the schedule of a:b/c.d is there twice",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(
            fault(&format!("[service.product.schedules]\n{line}")),
            expected,
            "for {line}"
        );
    }
}

/// The bare line of a cron library says nothing of what was expected.
#[test]
fn a_cron_line_that_is_none_says_why() {
    let told = fault("[service.product.schedules]\n\"a:b/c.d\" = \"99 * * * *\"");
    assert!(
        told.starts_with("4: `cron`: expected a cron line of five fields"),
        "{told}"
    );
}
