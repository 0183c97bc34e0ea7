use super::*;
use crate::connection::tests::Loose;

type Activity = super::Activity<Loose>;

const LIMITS: Limits = Limits {
    head: 2,
    idle: 10,
    read: 4,
};

fn watched(limits: Limits) -> (Watch, Arc<Activity>) {
    (Watch::new(limits), Arc::new(Activity::new(&limits)))
}

fn beats(watch: &mut Watch, activity: &Activity, count: u32) -> Vec<Verdict> {
    (0..count).map(|_| watch.beat(activity)).collect()
}

#[test]
fn a_silent_client_is_cut_off_after_the_heads_time() {
    let (mut watch, activity) = watched(LIMITS);
    assert_eq!(
        beats(&mut watch, &activity, 3),
        [Verdict::Fine, Verdict::Fine, Verdict::Stalled]
    );
}

#[test]
fn a_connection_that_serves_is_left_alone() {
    let (mut watch, activity) = watched(Limits { idle: 3, ..LIMITS });
    let serving = activity.serve();
    activity.received(End::Between);
    assert!(
        beats(&mut watch, &activity, 20)
            .iter()
            .all(|verdict| *verdict == Verdict::Fine)
    );
    drop(serving);
    assert_eq!(beats(&mut watch, &activity, 3).last(), Some(&Verdict::Idle));
}

#[test]
fn a_slow_second_head_is_cut_off() {
    let (mut watch, activity) = watched(LIMITS);
    drop(activity.serve());
    assert_eq!(
        watch.beat(&activity),
        Verdict::Fine,
        "a request has come since the last beat"
    );
    activity.received(End::InHead);
    assert_eq!(
        beats(&mut watch, &activity, 3).last(),
        Some(&Verdict::Stalled)
    );
}

#[test]
fn pings_keep_an_idle_http2_connection_no_longer_than_any() {
    let (mut watch, activity) = watched(LIMITS);
    drop(activity.serve());
    watch.beat(&activity);
    for _ in 0..2 {
        for _ in 1..LIMITS.idle {
            activity.received(End::Http2);
            assert_eq!(watch.beat(&activity), Verdict::Fine);
        }
        assert_eq!(watch.beat(&activity), Verdict::Idle, "and again");
    }
}

#[test]
fn a_client_that_takes_nothing_is_cut_off_and_a_slow_one_is_not() {
    let (mut watch, activity) = watched(LIMITS);
    let _serving = activity.serve();
    for _ in 0..20 {
        activity.sent(true);
        activity.sent(false);
        assert_eq!(watch.beat(&activity), Verdict::Fine);
    }
    let verdicts = beats(&mut watch, &activity, LIMITS.read + 1);
    assert_eq!(verdicts.last(), Some(&Verdict::Unread));
    assert_eq!(
        verdicts.iter().filter(|v| **v == Verdict::Unread).count(),
        1
    );
}

#[test]
fn a_stream_without_a_window_is_noticed_among_busy_ones() {
    let (mut watch, activity) = watched(LIMITS);
    activity.received(End::Http2);
    let (mut stuck, mut busy, mut slow) = (activity.serve(), activity.serve(), activity.serve());
    stuck.waits_for_client();
    slow.waits_for_client();
    slow.waits_for_service();
    let mut fine = 0;
    loop {
        busy.waits_for_client();
        activity.sent(true);
        match watch.beat(&activity) {
            Verdict::Fine => fine += 1,
            verdict => break assert_eq!(verdict, Verdict::Unread),
        }
    }
    assert!((LIMITS.read..=LIMITS.read + 2).contains(&fine), "{fine}");
    drop(stuck);
    for _ in 0..20 {
        busy.waits_for_client();
        assert_eq!(watch.beat(&activity), Verdict::Fine);
    }
}
