use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use stoa_settings::Priority;

const TARGET: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(10);
/// As the settings have it.
const CAPACITY: u32 = 1024;

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
    /// Of a closed loop: how many there are, and who is to ask next.
    clients: u32,
    asking: Vec<u32>,
}

impl Bench {
    fn new(capacity: u32) -> Self {
        Self {
            queue: Queue::new(capacity, Pressure::new(TARGET, PATIENCE)),
            now: Instant::now(),
            refused: Vec::new(),
            clients: 0,
            asking: Vec::new(),
        }
    }

    /// A call that waits for `patience` at most.
    fn push_for(&mut self, name: u32, priority: Priority, patience: Duration) -> Client {
        let caller = Client {
            name,
            gone: Rc::default(),
        };
        let waiter = Waiter {
            caller: caller.clone(),
            priority,
            since: self.now,
            until: self.now + patience,
        };
        self.queue.push(waiter, self.now, &mut self.refused);
        caller
    }

    fn push(&mut self, name: u32, priority: Priority) {
        self.push_for(name, priority, PATIENCE);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn next(&mut self) -> Option<u32> {
        self.take().map(|(name, _)| name)
    }

    /// Whose turn it is, and how long it has waited.
    fn take(&mut self) -> Option<(u32, Duration)> {
        let next = self.queue.next(self.now, &mut self.refused)?;
        Some((next.caller.name, self.now - next.since))
    }

    fn refused(&mut self) -> Vec<(u32, Why)> {
        let refused = self.refused.drain(..);
        refused.map(|it| (it.waiter.caller.name, it.why)).collect()
    }

    /// Clients that each ask again when they have an answer, be it a refusal. `new` of
    /// them come with each call that is served, until there are `most`; what was more
    /// goes. Gives how many were refused.
    fn closed_loop(&mut self, rate: u32, (new, most): (u32, u32), calls: u32) -> usize {
        let mut refused = 0;
        for _ in 0..calls {
            let clients = (self.clients + new).min(most);
            self.asking.extend(self.clients..clients);
            self.clients = clients;
            self.asking.retain(|client| *client < clients);
            for client in std::mem::take(&mut self.asking) {
                self.push(client, Priority::Normal);
            }
            self.pass(Duration::from_secs(1) / rate);
            let answered = self.next();
            let told = self.refused();
            refused += told.len();
            let told = told.into_iter().map(|(client, _)| client);
            self.asking.extend(answered.into_iter().chain(told));
        }
        refused
    }

    /// For each call that is served, those of these priorities come. Gives for each how
    /// many were served, and the longest that one waited.
    fn open_loop(
        &mut self,
        rate: u32,
        coming: &[Priority],
        calls: u32,
    ) -> BTreeMap<Priority, (u32, Duration)> {
        let mut served = BTreeMap::<_, (u32, Duration)>::new();
        for _ in 0..calls {
            for priority in coming {
                self.push(*priority as u32, *priority);
            }
            self.pass(Duration::from_secs(1) / rate);
            if let Some((name, waited)) = self.take() {
                let (count, longest) = served.entry(Priority::ALL[name as usize]).or_default();
                *count += 1;
                *longest = waited.max(*longest);
            }
        }
        served
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
        bench.push(name, priority);
    }
    let order: Vec<_> = std::iter::from_fn(|| bench.next()).collect();
    assert_eq!(order, [3, 5, 2, 4, 1]);
    assert!(bench.refused().is_empty());
}

#[test]
fn from_a_full_queue_the_newest_of_the_lowest_priority_goes() {
    let mut bench = Bench::new(2);
    for (name, priority, expected) in [
        (1, Priority::Low, None),
        (2, Priority::Low, None),
        (3, Priority::Low, Some(3)),
        (4, Priority::Normal, Some(2)),
        (5, Priority::High, Some(1)),
        (6, Priority::High, Some(4)),
        (7, Priority::High, Some(7)),
    ] {
        bench.push(name, priority);
        let refused = expected.map(|name| (name, Why::Full));
        assert_eq!(bench.refused(), Vec::from_iter(refused), "{name}");
    }
}

#[test]
fn who_is_gone_makes_place_and_is_never_served() {
    let mut bench = Bench::new(2);
    let first = bench.push_for(1, Priority::High, PATIENCE);
    bench.push(2, Priority::Low);
    first.gone.set(true);
    assert_eq!(bench.queue.present(), 1);
    bench.push(3, Priority::Low);
    assert_eq!(
        (bench.next(), bench.next(), bench.next()),
        (Some(2), Some(3), None)
    );
    assert!(bench.refused().is_empty(), "who left is no call");
}

#[test]
fn who_is_late_is_told_and_not_served() {
    let mut bench = Bench::new(4);
    bench.push_for(1, Priority::Normal, ms(3));
    bench.push(2, Priority::Normal);
    bench.pass(ms(3));
    assert_eq!(bench.next(), Some(2));
    assert_eq!(bench.refused(), [(1, Why::Late)]);
}

#[test]
fn a_burst_is_served_whole() {
    for rate in [110, 1_000] {
        let mut bench = Bench::new(CAPACITY);
        for name in 0..1_000 {
            bench.push(name, Priority::Low);
        }
        for name in 0..1_000 {
            bench.pass(Duration::from_secs(1) / rate);
            assert_eq!(bench.next(), Some(name));
        }
        assert!(bench.refused().is_empty());
    }
}

#[test]
fn clients_that_wait_for_their_answers_are_all_served() {
    for (rate, clients) in [
        (1_000, 1),
        (1_000, 64),
        (1_000, 256),
        (1_000, 1_000),
        (200, 1_000),
        (5, 40),
    ] {
        for new in [1, clients] {
            let mut bench = Bench::new(CAPACITY);
            let refused = bench.closed_loop(rate, (new, clients), 100 * rate);
            assert_eq!(refused, 0, "{clients} clients at {rate}/s");
        }
    }
}

#[test]
fn instances_that_end_together_are_not_taken_for_slow_ones() {
    let mut bench = Bench::new(CAPACITY);
    for name in 0..300 {
        bench.push(name, Priority::Normal);
    }
    for name in 0..1_000 {
        if name % 64 == 0 {
            bench.pass(Duration::from_secs(1));
        }
        assert_eq!(bench.next(), Some(name));
        bench.push(300 + name, Priority::Normal);
    }
    assert!(bench.refused().is_empty());
}

#[test]
fn who_is_served_in_overload_was_so_within_the_target() {
    let three = [Priority::Normal; 3];
    for rate in [10, 200, 1_000] {
        let mut bench = Bench::new(CAPACITY);
        bench.open_loop(rate, &three, 10 * rate);
        let served = bench.open_loop(rate, &three, 9 * rate);
        let (count, longest) = served[&Priority::Normal];
        assert_eq!(count, 9 * rate, "no turn is lost at {rate}/s");
        assert!(longest <= TARGET, "{longest:?} at {rate}/s");
        assert!(bench.refused().iter().any(|(_, why)| *why == Why::Shed));
    }
}

#[test]
fn the_lowest_priority_is_refused_first() {
    use Priority::{High, Low, Normal};
    let mut bench = Bench::new(CAPACITY);
    bench.open_loop(200, &[Low, Normal, High], 2_000);
    bench.refused();
    let served = bench.open_loop(200, &[Low, Normal, High], 1_800);
    assert_eq!(served.keys().collect::<Vec<_>>(), [&High]);
    assert!(served[&High].1 <= ms(10), "{served:?}");
    let refused = bench.refused();
    assert!(refused.iter().all(|(name, _)| *name != High as u32));
    assert!(refused.iter().any(|(name, _)| *name == Low as u32));
}

#[test]
fn after_overload_everybody_may_wait_again() {
    let mut bench = Bench::new(CAPACITY);
    bench.open_loop(200, &[Priority::Normal; 3], 2_000);
    assert!(!bench.refused().is_empty());
    let served = bench.open_loop(200, &[], 500);
    assert!(served[&Priority::Normal].1 <= TARGET);
    assert_eq!(bench.closed_loop(1_000, (1_000, 1_000), 10_000), 0);
}

/// They look as if they were many for as long as they are refused.
#[test]
fn clients_that_come_again_at_once_are_not_refused_for_ever() {
    let mut bench = Bench::new(CAPACITY);
    assert!(bench.closed_loop(20, (300, 300), 200) > 200);
    assert!(bench.closed_loop(20, (0, 180), 20) > 20);
    bench.closed_loop(20, (0, 180), 20 * 60);
    assert_eq!(bench.closed_loop(20, (0, 180), 20 * 60), 0);
}

#[test]
fn who_can_not_be_served_in_its_time_is_told_at_once() {
    let mut bench = Bench::new(CAPACITY);
    bench.closed_loop(100, (100, 100), 1_000);
    bench.push_for(1_000, Priority::Normal, ms(100));
    assert!(matches!(*bench.refused(), [(1_000, Why::NoTime(wait))] if wait >= ms(900)));
    bench.push_for(1_001, Priority::High, ms(100));
    bench.push_for(1_002, Priority::Normal, ms(1_100));
    assert_eq!(bench.next(), Some(1_001), "nobody is before it");
    assert!(bench.refused().is_empty());
    assert_eq!(
        bench.closed_loop(100, (0, 0), 1_000),
        0,
        "that is no overload"
    );
}

#[test]
fn without_a_target_a_queue_may_stand() {
    let mut bench = Bench::new(CAPACITY);
    bench.queue = Queue::new(CAPACITY, Pressure::new(Duration::MAX, PATIENCE));
    bench.open_loop(1_000, &[Priority::Low; 3], 5_000);
    let refused = bench.refused();
    assert!(refused.iter().all(|(_, why)| *why == Why::Full));
    assert_eq!(bench.queue.present(), CAPACITY as usize - 1);
}

#[derive(Debug, Clone)]
enum Event {
    Push(u32, u64),
    Leave(usize),
    Pass(u64),
    Next,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_u32..3, 1_u64..2_000).prop_map(|(priority, time)| Event::Push(priority, time)),
        (0_usize..64).prop_map(Event::Leave),
        (0_u64..400).prop_map(Event::Pass),
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
                Event::Push(priority, time) => {
                    let name = u32::try_from(clients.len()).unwrap();
                    let priority = Priority::ALL[priority as usize];
                    clients.push(bench.push_for(name, priority, ms(time)));
                }
                Event::Leave(client) => {
                    if let Some(client) = clients.get(client) {
                        client.gone.set(true);
                    }
                }
                Event::Pass(millis) => bench.pass(ms(millis)),
                Event::Next => {
                    let next = bench.next();
                    if let Some(name) = next {
                        prop_assert!(!clients[name as usize].gone.get(), "nobody waits for {name}");
                    }
                    ended.extend(next);
                }
            }
            prop_assert!(bench.queue.lanes.len() <= 8);
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
