use std::cell::Cell;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;

const TARGET: Duration = Duration::from_millis(5);
const PACE: Duration = Duration::from_millis(1);

#[derive(Clone)]
struct Client {
    name: u32,
    gone: Rc<Cell<bool>>,
}

impl Caller for Client {
    fn is_gone(&self) -> bool {
        self.gone.get()
    }
}

/// A queue, and a clock that it is told.
struct Bench {
    queue: Queue<Client>,
    now: Instant,
    refused: Vec<Refused<Client>>,
}

impl Bench {
    fn new(capacity: u32) -> Self {
        Self {
            queue: Queue::new(capacity, TARGET),
            now: Instant::now(),
            refused: Vec::new(),
        }
    }

    fn waits(&self, name: u32, priority: Priority, patience: u64) -> (Waiter<Client>, Client) {
        let caller = Client {
            name,
            gone: Rc::default(),
        };
        let waiter = Waiter {
            caller: caller.clone(),
            priority,
            since: self.now,
            until: self.now + ms(patience),
        };
        (waiter, caller)
    }

    /// Whether there was place for it.
    fn push(&mut self, name: u32, priority: Priority) -> bool {
        let (waiter, _) = self.waits(name, priority, 60_000);
        match self.queue.push(waiter) {
            Ok(refused) => {
                self.refused.extend(refused);
                true
            }
            Err(_) => false,
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now += ms(millis);
    }

    fn next(&mut self) -> Option<u32> {
        let next = self.queue.next(self.now, PACE, &mut self.refused);
        next.map(|waiter| waiter.caller.name)
    }

    fn refused(&mut self) -> Vec<(u32, Why)> {
        let refused = self.refused.drain(..);
        refused.map(|it| (it.waiter.caller.name, it.why)).collect()
    }

    /// Has a queue stand long enough to be overload; its calls are numbered from 1000.
    fn overload(&mut self, priority: Priority) {
        for turn in 0..110 {
            self.push(1000 + 2 * turn, priority);
            self.push(1001 + 2 * turn, priority);
            self.pass(1);
            self.next();
        }
        let last = self.refused();
        assert!(!last.is_empty(), "a standing queue is overload");
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn the_highest_priority_is_served_first_and_the_oldest_of_each() {
    let mut bench = Bench::new(10);
    for (name, priority) in [
        (1, Priority::Low),
        (2, Priority::Normal),
        (3, Priority::High),
        (4, Priority::Normal),
        (5, Priority::High),
    ] {
        assert!(bench.push(name, priority));
    }
    let order: Vec<_> = std::iter::from_fn(|| bench.next()).collect();
    assert_eq!(order, [3, 5, 2, 4, 1]);
}

#[test]
fn a_full_queue_makes_place_for_what_matters_more() {
    let mut bench = Bench::new(2);
    assert!(bench.push(1, Priority::Low) && bench.push(2, Priority::Low));
    assert!(!bench.push(3, Priority::Low), "nothing matters less");
    assert!(bench.push(4, Priority::Normal));
    assert_eq!(bench.refused(), [(1, Why::Shed)]);
    assert!(bench.push(5, Priority::High));
    assert_eq!(bench.refused(), [(2, Why::Shed)]);
    assert!(bench.push(6, Priority::High));
    assert_eq!(bench.refused(), [(4, Why::Shed)]);
    assert!(!bench.push(7, Priority::High));
}

#[test]
fn who_is_gone_makes_place_and_is_never_served() {
    let mut bench = Bench::new(2);
    let (waiter, first) = bench.waits(1, Priority::High, 1000);
    assert!(bench.queue.push(waiter).is_ok());
    assert!(bench.push(2, Priority::Low));
    first.gone.set(true);
    assert_eq!(bench.queue.present(), 1);
    assert!(
        bench.push(3, Priority::Low),
        "a caller that left is no call"
    );
    assert_eq!(
        (bench.next(), bench.next(), bench.next()),
        (Some(2), Some(3), None)
    );
    assert!(bench.refused().is_empty());
}

#[test]
fn who_is_late_is_told_and_not_served() {
    let mut bench = Bench::new(4);
    let (waiter, _) = bench.waits(1, Priority::Normal, 3);
    assert!(bench.queue.push(waiter).is_ok());
    assert!(bench.push(2, Priority::Normal));
    bench.pass(3);
    assert_eq!(bench.next(), Some(2));
    assert_eq!(bench.refused(), [(1, Why::Late)]);
}

#[test]
fn a_burst_is_served_whole() {
    let mut bench = Bench::new(1000);
    for name in 0..500 {
        assert!(bench.push(name, Priority::Low));
    }
    for name in 0..500 {
        bench.pass(1);
        assert_eq!(bench.next(), Some(name));
    }
    assert!(bench.refused().is_empty(), "{}", bench.queue.present());
}

#[test]
fn under_overload_the_newest_is_served_and_the_old_are_given_up() {
    let mut bench = Bench::new(1000);
    bench.overload(Priority::Normal);
    bench.push(1, Priority::Normal);
    bench.push(2, Priority::Normal);
    assert_eq!(bench.next(), Some(2));
    for turn in 0..100 {
        bench.push(10 + turn, Priority::Normal);
        bench.push(200 + turn, Priority::Normal);
        bench.pass(1);
        bench.next();
        let waits = bench.queue.present();
        assert!(
            waits <= 24,
            "nobody waits longer than twice the target: {waits}"
        );
    }
    assert!(bench.refused().iter().all(|(_, why)| *why == Why::Shed));
}

#[test]
fn the_lowest_priority_is_given_up_first() {
    let mut bench = Bench::new(1000);
    bench.overload(Priority::Normal);
    bench.push(1, Priority::Low);
    bench.push(2, Priority::High);
    bench.pass(1);
    assert_eq!(bench.next(), Some(2));
    let refused = bench.refused();
    assert!(
        refused.contains(&(1, Why::Shed)),
        "its turn would not come: {refused:?}"
    );
    bench.push(3, Priority::High);
    bench.pass(1);
    assert_eq!(bench.next(), Some(3), "high is served through it all");
}

#[test]
fn whose_turn_it_is_is_served_however_long_that_took() {
    let mut bench = Bench::new(1000);
    bench.overload(Priority::Low);
    for turn in [1, 2] {
        bench.push(turn, Priority::High);
        bench.push(100 + turn, Priority::Low);
        bench.pass(50);
        assert_eq!(bench.next(), Some(turn), "its place would be nobody's");
    }
    let refused = bench.refused();
    assert!(refused.contains(&(101, Why::Shed)), "{refused:?}");
    assert!(refused.iter().all(|(_, why)| *why == Why::Shed));
}

#[test]
fn what_matters_more_is_not_shed_for_a_flood_of_what_matters_less() {
    let mut bench = Bench::new(1000);
    bench.overload(Priority::Low);
    for turn in 0..200 {
        bench.push(1000 + turn, Priority::Low);
        bench.push(turn, Priority::Normal);
        bench.pass(1);
        assert_eq!(bench.next(), Some(turn));
    }
    assert!(bench.refused().iter().all(|(name, _)| *name >= 1000));
}

#[test]
fn after_overload_it_is_first_come_first_served_again() {
    let mut bench = Bench::new(1000);
    bench.overload(Priority::Normal);
    while bench.next().is_some() {}
    bench.refused();
    bench.pass(1000);
    for name in 1..=3 {
        bench.push(name, Priority::Normal);
    }
    bench.pass(2);
    assert_eq!(
        (bench.next(), bench.next(), bench.next()),
        (Some(1), Some(2), Some(3))
    );
    assert!(bench.refused().is_empty());
}

#[derive(Debug, Clone)]
enum Event {
    Push(u32),
    Leave(usize),
    Pass(u64),
    Next,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_u32..3).prop_map(Event::Push),
        (0_usize..64).prop_map(Event::Leave),
        (0_u64..40).prop_map(Event::Pass),
        Just(Event::Next),
        Just(Event::Next),
    ]
}

proptest! {
    /// Whatever happens, each call is served once or told once, unless it left.
    #[test]
    fn no_call_is_lost_or_answered_twice(events in proptest::collection::vec(event(), 1..400)) {
        let mut bench = Bench::new(8);
        let (mut clients, mut ended) = (Vec::<Client>::new(), Vec::new());
        for event in events {
            match event {
                Event::Push(priority) => {
                    let name = u32::try_from(clients.len()).unwrap();
                    let (waiter, client) = bench.waits(name, Priority::ALL[priority as usize], 500);
                    clients.push(client);
                    match bench.queue.push(waiter) {
                        Ok(refused) => bench.refused.extend(refused),
                        Err(waiter) => ended.push(waiter.caller.name),
                    }
                }
                Event::Leave(client) => {
                    if let Some(client) = clients.get(client) {
                        client.gone.set(true);
                    }
                }
                Event::Pass(millis) => bench.pass(millis),
                Event::Next => {
                    let next = bench.next();
                    if let Some(name) = next {
                        prop_assert!(!clients[name as usize].gone.get(), "nobody waits for {name}");
                    }
                    ended.extend(next);
                }
            }
            prop_assert!(bench.queue.places() <= 8);
            ended.extend(bench.refused().into_iter().map(|(name, _)| name));
        }
        while let Some(name) = bench.next() {
            ended.push(name);
        }
        ended.extend(bench.refused().into_iter().map(|(name, _)| name));
        ended.sort_unstable();
        let told = ended.len();
        ended.dedup();
        prop_assert_eq!(told, ended.len(), "somebody was answered twice");
        let lost = clients.iter().filter(|client| !client.gone.get() && !ended.contains(&client.name));
        prop_assert_eq!(lost.count(), 0);
    }
}
