//! What deployments and operators make of schedules that are there.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_swap_leaves_slots_and_the_run_under_way_alone() {
    let world = World::begin(every(HALF_MINUTE)).await;
    world.hold();
    world.pass(Duration::from_secs(35)).await;
    world.deploy_own().await;
    world.pass(Duration::from_secs(5)).await;
    world.let_go();
    world.pass(Duration::from_secs(25)).await;
    assert_eq!(world.calls(), [30, 60]);
    assert_eq!(world.runs().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn other_times_begin_with_the_swap() {
    let world = World::begin(every(Duration::from_secs(3600))).await;
    world.pass(Duration::from_secs(100)).await;
    let name = world.name.function.to_string();
    let missed = Missed::All;
    world
        .deploy(&[(
            name,
            Schedule {
                missed,
                ..every(HALF_MINUTE)
            },
        )])
        .await;
    world.pass(Duration::from_secs(25)).await;
    assert_eq!(world.calls(), [120], "none of those before it");
}

#[tokio::test(start_paused = true)]
async fn what_a_revision_does_not_ask_for_rests_until_one_does_again() {
    let world = World::begin(every(HALF_MINUTE)).await;
    world.pass(Duration::from_secs(35)).await;
    world.deploy(&[]).await;
    assert!(world.schedules.list().is_empty());
    assert_eq!(world.schedules.run_now(&world.name), Err(NotBegun::Unknown));
    assert!(!world.metrics.encode().contains("a:b/c.d"));
    world.pass(Duration::from_secs(60)).await;
    world.deploy_own().await;
    world.pass(Duration::from_secs(30)).await;
    assert_eq!(
        world.calls(),
        [30, 120],
        "what passed meanwhile is nobody's"
    );
    assert_eq!(world.runs().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_undeployed_leaves_nothing() {
    let world = World::begin(every(HALF_MINUTE)).await;
    world.pass(Duration::from_secs(70)).await;
    world.hold();
    world.pass(HALF_MINUTE).await;
    assert_eq!(world.shown().under_way.unwrap().number, 3);
    world.undeploy().await;
    world.let_go();
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(
        (world.calls(), world.records.count()),
        (vec![30, 60, 90], 0)
    );
    assert!(!world.metrics.encode().contains("a:b/c.d"));
    world.deploy_own().await;
    world.pass(Duration::from_secs(30)).await;
    assert_eq!(world.runs().await[0].begun.number, 1, "it begins anew");
}

#[tokio::test(start_paused = true)]
async fn a_run_of_what_was_there_before_is_not_of_what_is_there_now() {
    let world = World::begin(every(HALF_MINUTE)).await;
    world.hold();
    world.pass(Duration::from_secs(35)).await;
    world.undeploy().await;
    world.deploy_own().await;
    world.let_go();
    world.pass(Duration::from_secs(5)).await;
    assert!(world.runs().await.is_empty() && world.shown().last.is_none());
    world.pass(Duration::from_secs(25)).await;
    assert_eq!(world.calls(), [30, 60]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_lets_slots_pass_and_an_operator_run() {
    let world = World::begin(every(HALF_MINUTE)).await;
    world.pause(true).await;
    world.pass(Duration::from_secs(70)).await;
    let shown = world.shown();
    assert!(world.calls().is_empty() && shown.paused && shown.next.is_none());
    world.schedules.run_now(&world.name).unwrap();
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.calls(), [0]);
    world.pause(false).await;
    world.pass(Duration::from_secs(20)).await;
    assert_eq!(world.calls(), [0, 90], "none of those that passed");
}

#[tokio::test(start_paused = true)]
async fn what_passed_in_a_pause_is_not_made_up_for_after_a_restart() {
    let world = World::begin(every(HALF_MINUTE)).await;
    world.pause(true).await;
    world.pass(Duration::from_secs(70)).await;
    world.pause(false).await;
    let world = world.restart(Duration::from_secs(5)).await;
    world.pass(Duration::from_secs(10)).await;
    assert!(world.calls().is_empty());
    world.pass(Duration::from_secs(10)).await;
    assert_eq!(world.calls(), [90]);
}

#[tokio::test(start_paused = true)]
async fn names_are_read_as_they_are_written() {
    let name = ScheduleName::parse("order/shop:order/reports.daily").unwrap();
    assert_eq!(name.service, "order");
    assert_eq!(name.function.to_string(), "shop:order/reports.daily");
    assert_eq!(ScheduleName::parse(&name.to_string()), Some(name));
    assert_eq!(ScheduleName::parse("order"), None);
}
