//! Schedules on a clock of the test's, with calls that end when it says so.

mod changes;
mod properties;
mod world;

use std::time::Duration;

use stoa_settings::Missed;

use super::*;
use world::{World, every, second};

const HALF_MINUTE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn each_slot_is_written_down_and_called_in_its_time() {
    let world = World::begin(every(HALF_MINUTE)).await;
    world.pass(Duration::from_secs(95)).await;
    assert_eq!(world.calls(), [30, 60, 90]);
    let runs = world.runs().await;
    assert_eq!(
        runs.iter().map(|run| run.begun.number).collect::<Vec<_>>(),
        [3, 2, 1]
    );
    assert!(runs.iter().all(|run| run.outcome == RunOutcome::Succeeded));
    let shown = world.shown();
    assert_eq!((shown.next, shown.missed), (Some(second(120)), 0));
    assert_eq!(shown.last.as_ref(), runs.first());
}

#[tokio::test(start_paused = true)]
async fn history_has_the_last_runs() {
    let world = World::begin(every(Duration::from_secs(1))).await;
    world.pass(Duration::from_secs(120)).await;
    let runs = world.runs().await;
    let numbers: Vec<_> = runs.iter().map(|run| run.begun.number).collect();
    let last = numbers[0];
    assert_eq!(numbers, (0..50).map(|back| last - back).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_passes_while_a_run_is_under_way_is_made_up_for_as_is_asked() {
    for (missed, expected, lost) in [
        (Missed::Skip, vec![30, 150], 3),
        (Missed::Once, vec![30, 120, 150], 2),
        (Missed::All, vec![30, 60, 90, 120, 150], 0),
    ] {
        let world = World::begin(Schedule {
            missed,
            ..every(HALF_MINUTE)
        })
        .await;
        world.hold();
        world.pass(Duration::from_secs(125)).await;
        assert_eq!(world.calls(), [30], "{missed:?}: one at a time");
        world.let_go();
        world.pass(HALF_MINUTE).await;
        assert_eq!(
            (world.calls(), world.shown().missed),
            (expected, lost),
            "{missed:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_while_the_host_is_down_is_made_up_for_as_is_asked() {
    for (missed, expected, lost) in [
        (Missed::Skip, vec![30, 120], 2),
        (Missed::Once, vec![30, 90, 120], 1),
        (Missed::All, vec![30, 60, 90, 120], 0),
    ] {
        let world = World::begin(Schedule {
            missed,
            ..every(HALF_MINUTE)
        })
        .await;
        world.pass(Duration::from_secs(40)).await;
        let world = world.restart(Duration::from_secs(60)).await;
        world.pass(Duration::from_secs(25)).await;
        assert_eq!(
            (world.calls(), world.shown().missed),
            (expected, lost),
            "{missed:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn of_very_many_the_last_hundred_are_made_up_for() {
    let missed = Missed::All;
    let world = World::begin(Schedule {
        missed,
        ..every(Duration::from_secs(10))
    })
    .await;
    let world = world.restart(Duration::from_secs(3000)).await;
    world.pass(Duration::from_secs(1)).await;
    let expected: Vec<_> = (201..=300).map(|number| number * 10).collect();
    assert_eq!((world.calls(), world.shown().missed), (expected, 200));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_the_end_of_the_host_cut_off_is_told_and_not_made_again() {
    for missed in [Missed::Skip, Missed::Once, Missed::All] {
        let world = World::begin(Schedule {
            missed,
            ..every(HALF_MINUTE)
        })
        .await;
        world.hold();
        world.pass(Duration::from_secs(31)).await;
        let world = world.restart(Duration::from_secs(5)).await;
        world.let_go();
        world.pass(Duration::from_secs(30)).await;
        assert_eq!(world.calls(), [30, 60], "{missed:?}");
        let runs = world.runs().await;
        let told: Vec<_> = runs
            .iter()
            .map(|run| (run.begun.slot, run.outcome))
            .collect();
        let expected = [
            (Some(second(60)), RunOutcome::Succeeded),
            (Some(second(30)), RunOutcome::CutOff),
        ];
        assert_eq!(told, expected);
        assert!(world.metrics.encode().contains("outcome=\"cut_off\"} 1"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_written_down_is_not_called() {
    let world = World::begin(every(HALF_MINUTE)).await;
    world.records.fail(true);
    world.pass(Duration::from_secs(35)).await;
    assert!(world.calls().is_empty());
    let last = world.shown().last.unwrap();
    assert_eq!(last.outcome, RunOutcome::Refused);
    world.records.fail(false);
    world.pass(HALF_MINUTE).await;
    assert_eq!(world.calls(), [60]);
}

#[tokio::test(start_paused = true)]
async fn an_operators_run_moves_no_slot_and_is_the_only_one_under_way() {
    let world = World::begin(every(HALF_MINUTE)).await;
    world.hold();
    world.pass(Duration::from_secs(10)).await;
    let begun = world.schedules.run_now(&world.name).unwrap();
    assert_eq!((begun.number, begun.slot), (1, None));
    world.pass(Duration::from_secs(1)).await;
    let again = world.schedules.run_now(&world.name);
    assert_eq!(again, Err(NotBegun::UnderWay));
    assert_eq!(world.shown().under_way, Some(begun));
    world.let_go();
    world.pass(Duration::from_secs(25)).await;
    assert_eq!(world.calls(), [0, 30], "0 is none");
    let unknown = ScheduleName::parse("order/a:b/c.no").unwrap();
    let unknown = world.schedules.run_now(&unknown);
    assert_eq!(unknown, Err(NotBegun::Unknown));
}

#[tokio::test(start_paused = true)]
async fn jitter_delays_a_call_and_never_beyond_the_next_slot() {
    let jitter = Duration::from_secs(3600);
    let schedule = Schedule {
        jitter,
        ..every(HALF_MINUTE)
    };
    let world = World::begin(schedule).await;
    world.pass(Duration::from_secs(3000)).await;
    let runs = world.runs().await;
    assert!(runs.len() > 40);
    let late = runs
        .iter()
        .map(|run| run.begun.started.since(run.begun.slot.unwrap()));
    let late: Vec<_> = late.collect();
    assert!(late.iter().all(|late| *late <= HALF_MINUTE), "{late:?}");
    assert!(
        late.iter().any(|late| *late > Duration::from_secs(5)),
        "{late:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_doubles_no_slot_and_stops_none() {
    let world = World::begin(every(Duration::from_secs(3600))).await;
    world.pass(Duration::from_secs(3700)).await;
    assert_eq!(world.calls(), [3600]);
    // Put forward: noticed within a minute, though the next slot was an hour away.
    world.set_clock(10_000);
    world.pass(Duration::from_secs(61)).await;
    assert_eq!(world.calls(), [3600, 7200]);
    // Put back by an hour and more: what was done stays done.
    world.set_clock(4_000);
    world.pass(Duration::from_secs(6_000)).await;
    assert_eq!(world.calls(), [3600, 7200]);
    world.pass(Duration::from_secs(1_000)).await;
    assert_eq!(world.calls(), [3600, 7200, 10_800]);
    // Put right after it was years ahead.
    world.set_clock(100_000_000);
    world.pass(Duration::from_secs(61)).await;
    world.set_clock(20_000);
    world.pass(Duration::from_secs(3_600)).await;
    let calls = world.calls();
    assert_eq!(calls[calls.len() - 2..], [99_997_200, 21_600]);
}

#[tokio::test(start_paused = true)]
async fn the_drain_begins_no_run_and_waits_for_those_under_way() {
    let mut world = World::begin(every(HALF_MINUTE)).await;
    world.hold();
    world.pass(Duration::from_secs(31)).await;
    let drained = tokio::spawn(world.drainer.take().unwrap().run(Duration::from_secs(600)));
    world.pass(Duration::from_secs(60)).await;
    assert!(!drained.is_finished());
    assert_eq!(
        world.schedules.run_now(&world.name),
        Err(NotBegun::UnderWay)
    );
    world.let_go();
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(drained.await.unwrap(), stoa_http::shutdown::Drained::All);
    assert_eq!(world.calls(), [30]);
    assert_eq!(world.schedules.run_now(&world.name), Err(NotBegun::NotNow));
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_at_rest_are_looked_at_once_a_minute() {
    let world = World::begin(every(Duration::from_secs(366 * 24 * 3600))).await;
    let daily = |number: usize| {
        (
            format!("a:b/c.f{number}"),
            every(Duration::from_secs(86_400)),
        )
    };
    let many: Vec<_> = (0..10_000).map(daily).collect();
    world.deploy(&many).await;
    world.pass(Duration::from_secs(1)).await;
    let before = world.looks();
    world.pass(Duration::from_secs(3600)).await;
    let looks = world.looks() - before;
    assert!(looks <= 65, "{looks} looks at the clock in an hour");
    assert!(world.calls().is_empty());
}
