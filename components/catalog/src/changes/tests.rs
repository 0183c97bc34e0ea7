use stoa_sdk::store::Memory;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn product(number: u64) -> Changed {
    Changed::Product(number.to_string())
}

fn keys(store: &Memory, prefix: &str) -> usize {
    let (mut count, mut cursor) = (0, None::<String>);
    loop {
        let (keys, next) = store.keys(cursor.as_deref()).unwrap();
        count += keys.iter().filter(|key| key.starts_with(prefix)).count();
        cursor = next;
        if cursor.is_none() {
            return count;
        }
    }
}

#[test]
fn each_change_is_told_once_from_anywhere() {
    let changes = Changes::new(Arc::new(Memory::default()));
    assert_eq!(changes.head(Some(0)).unwrap(), None);
    let mut number = 0;
    for many in [1, 1, 70, 3, 64, 1, 200, 5] {
        let more: Vec<_> = (number + 1..=number + many).map(product).collect();
        changes.add(&more).unwrap();
        number += many;
        let head = changes.head(None).unwrap().unwrap();
        assert_eq!(head.number, number);
        assert_eq!(changes.head(Some(number)).unwrap(), None);
        for known in 0..=number {
            let since = changes.since(&head, known).unwrap().unwrap();
            let expected: Vec<_> = (known + 1..=number).map(product).collect();
            assert_eq!(since, expected, "from {known} to {number}");
        }
    }
}

#[test]
fn a_number_is_not_taken_for_one_that_it_begins_with() {
    let changes = Changes::new(Arc::new(Memory::default()));
    let twelve: Vec<_> = (1..=12).map(product).collect();
    changes.add(&twelve).unwrap();
    assert!(changes.head(Some(1)).unwrap().is_some());
    assert!(changes.head(Some(12)).unwrap().is_none());
}

#[test]
fn writers_at_the_same_time_lose_nothing() {
    let changes = Changes::new(Arc::new(Memory::default()));
    std::thread::scope(|threads| {
        for writer in 0..4_u64 {
            let changes = &changes;
            threads.spawn(move || {
                for number in 0..100 {
                    changes.add(&[product(writer * 100 + number)]).unwrap();
                }
            });
        }
    });
    let head = changes.head(None).unwrap().unwrap();
    let mut all = changes.since(&head, 0).unwrap().unwrap();
    all.sort_unstable();
    all.dedup();
    assert_eq!((head.number, all.len()), (400, 400));
}

#[test]
fn it_is_time_to_save_when_a_quarter_has_changed() {
    let store = Arc::new(Memory::default());
    let changes = Changes::new(store.clone());
    let add = |many: u64| {
        let more: Vec<_> = (0..many).map(product).collect();
        changes.add(&more).unwrap()
    };
    let mut tries = Vec::new();
    for hundreds in 1..=50 {
        if add(100) == Upkeep::Save {
            tries.push(hundreds);
        }
    }
    // After 2048, and each time 1024 more come without it being done.
    assert_eq!(tries, [21, 31, 41]);
    assert!(keys(&store, "part.") > 10);

    let mut saved = Saved::draft(5000, 40_000, NOW);
    changes.write(&mut saved, b"one").unwrap();
    changes.write(&mut saved, b"two").unwrap();
    changes.adopt(&saved, NOW).unwrap();
    assert_eq!(keys(&store, "part."), 0, "what is saved is not needed");
    let head = changes.head(None).unwrap().unwrap();
    assert_eq!(head.saved, Some(saved.clone()));
    assert_eq!(changes.since(&head, 4000).unwrap(), None);
    let mut pages = Vec::new();
    let whole = changes.read(&saved, |page| {
        pages.push(page.to_vec());
        Ok(())
    });
    assert!(whole.unwrap());
    assert_eq!(pages, [b"one", b"two"]);
    let at = (1..=120).find(|_| add(100) == Upkeep::Save);
    assert_eq!(at, Some(100), "a quarter of 40 000");
}

#[test]
fn the_newest_index_stays_and_what_nobody_reads_goes() {
    let store = Arc::new(Memory::default());
    let changes = Changes::new(store.clone());
    let all: Vec<_> = (0..10).map(product).collect();
    changes.add(&all).unwrap();
    let save = |number, now| {
        let mut saved = Saved::draft(number, 1, now);
        changes.write(&mut saved, b"page").unwrap();
        (changes.adopt(&saved, now), saved).1
    };
    let first = save(9, NOW);
    let late = save(5, NOW);
    let head = || changes.head(None).unwrap().unwrap();
    assert_eq!(head().saved, Some(first.clone()));
    // Somebody may be about to read or to write them.
    assert_eq!(keys(&store, "page."), 2);
    let last = save(10, NOW + GRACE * 2);
    assert_eq!(head().saved, Some(last));
    assert_eq!(keys(&store, "page."), 1);
    for gone in [first, late] {
        assert!(!changes.read(&gone, |_| Ok(())).unwrap());
    }
}
