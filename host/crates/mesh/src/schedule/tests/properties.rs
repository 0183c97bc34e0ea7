//! Whatever happens to a schedule, and in which order: no slot has two calls, and slots
//! ascend.

use proptest::prelude::*;

use super::super::entry::{Active, Next};
use super::super::kept::Kept;
use super::*;

/// What may happen.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// Seconds pass, and the keeper looks when it is to.
    Pass(u64),
    /// The run under way ends.
    End,
    Pause,
    Resume,
    /// The host is killed, and comes back this many seconds later.
    Restart(u64),
    /// The clock is put back or forth, by less than what is taken for a correction.
    Set(i64),
    RunNow,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => (1u64..400).prop_map(Event::Pass),
        4 => Just(Event::End),
        1 => Just(Event::Pause),
        2 => Just(Event::Resume),
        1 => (0u64..4000).prop_map(Event::Restart),
        1 => (-3000i64..3000).prop_map(Event::Set),
        1 => Just(Event::RunNow),
    ];
    prop::collection::vec(event, 1..80)
}

/// One schedule, and all that has come of it.
struct Played {
    schedule: Schedule,
    entry: Entry,
    /// What is on disk.
    kept: Kept,
    now: Slot,
    /// Slots with a call.
    called: Vec<Slot>,
}

impl Played {
    fn new(schedule: Schedule) -> Self {
        let now = second(0);
        let mut played = Self {
            entry: Entry::of(Kept::new(now)),
            kept: Kept::new(now),
            schedule,
            now,
            called: Vec::new(),
        };
        played.activate();
        played
    }

    fn activate(&mut self) {
        let active = Active::new(self.schedule.clone(), Arc::default());
        self.entry.active = Some(active.unwrap());
    }

    /// As the keeper does; what it says of when to look again.
    fn look(&mut self, occasion: Occasion) {
        self.entry.timer = None;
        match self.entry.look(self.now, occasion) {
            Next::Begin(slot) => {
                self.called.push(slot);
                self.start(Some(slot));
            }
            Next::Wait(at) => {
                assert!(at > self.now, "it would not sleep");
                self.entry.timer = Some(at);
            }
            Next::Rest => {}
        }
    }

    fn start(&mut self, slot: Option<Slot>) {
        self.entry.running = Some(1);
        self.entry.begin(slot, self.now, String::new());
        self.kept = self.entry.kept.clone();
    }

    fn play(&mut self, event: Event) {
        match event {
            Event::Pass(seconds) => {
                for _ in 0..seconds {
                    self.now = self.now.plus(Duration::from_secs(1));
                    if self.entry.timer.is_some_and(|at| at <= self.now) {
                        self.look(Occasion::Due);
                    }
                }
            }
            Event::End => {
                if let Some(begun) = self.entry.kept.under_way.clone() {
                    let run = begun.ended(RunOutcome::Succeeded, Duration::ZERO);
                    self.entry.kept.end(run);
                    self.entry.running = None;
                    self.kept = self.entry.kept.clone();
                    self.look(Occasion::Able);
                }
            }
            Event::Pause => {
                self.entry.paused = true;
                self.look(Occasion::Able);
            }
            Event::Resume => {
                if self.entry.paused {
                    self.entry.begin_anew(self.now);
                    self.kept.after = self.kept.after.max(self.now);
                }
                self.entry.paused = false;
                self.look(Occasion::Able);
            }
            Event::Restart(down) => {
                self.now = self.now.plus(Duration::from_secs(down));
                self.kept.under_way = None;
                let paused = self.entry.paused;
                self.entry = Entry::of(self.kept.clone());
                self.entry.paused = paused;
                self.activate();
                self.look(Occasion::Able);
            }
            Event::Set(seconds) => {
                let by = Duration::from_secs(seconds.unsigned_abs());
                self.now = match seconds < 0 {
                    true => self.now.minus(by),
                    false => self.now.plus(by),
                };
            }
            Event::RunNow => {
                if self.entry.running.is_none() {
                    self.start(None);
                }
            }
        }
    }
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let times = prop_oneof![
        (1u64..900).prop_map(|seconds| every(Duration::from_secs(seconds))),
        prop::sample::select(vec!["*/5 * * * *", "7 * * * *", "*/20 * * * * *"]).prop_map(|line| {
            Schedule {
                cron: Some(line.to_owned()),
                timezone: Some("Europe/Athens".to_owned()),
                ..Schedule::default()
            }
        }),
    ];
    let missed = prop::sample::select(Missed::ALL.to_vec());
    (times, missed, 0u64..20).prop_map(|(times, missed, jitter)| Schedule {
        missed,
        jitter: Duration::from_secs(jitter),
        ..times
    })
}

proptest! {
    #[test]
    fn slots_ascend_and_none_is_called_twice(schedule in schedules(), events in events()) {
        let mut played = Played::new(schedule);
        played.look(Occasion::Able);
        // Clocks that are put back again and again add up to a correction.
        let mut set_back = 0;
        for event in events {
            if let Event::Set(seconds) = event {
                set_back += seconds.min(0).unsigned_abs();
                if set_back > 9000 {
                    break;
                }
            }
            played.play(event);
        }
        let called = &played.called;
        prop_assert!(called.is_sorted_by(|one, next| one < next), "{called:?}");
    }

    /// Without breaks of any kind each slot has its call.
    #[test]
    fn every_slot_is_called_where_nothing_is_in_the_way(schedule in schedules(), seconds in 1u64..5000) {
        let jitter = schedule.jitter;
        let mut played = Played::new(schedule.clone());
        played.look(Occasion::Able);
        for _ in 0..seconds {
            played.play(Event::Pass(1));
            played.play(Event::End);
        }
        let times = stoa_settings::schedule::Times::of(&schedule).unwrap();
        // The call of the last may still be ahead.
        let until = played.now.minus(jitter).max(second(0));
        let expected = times.passed(second(0), until);
        let called = &played.called;
        let missing = expected.iter().filter(|slot| !called.contains(slot)).count();
        prop_assert!(missing == 0 || expected.len() >= 1000, "{missing} of {expected:?}");
    }
}
