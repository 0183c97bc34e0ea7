use proptest::prelude::*;

use super::*;

fn member(service: &str, id: &str, state: MemberState) -> Member {
    Member {
        service: service.to_owned(),
        kind: MemberKind::Component,
        id: id.to_owned(),
        state,
        weight: None,
        address: None,
        metadata: BTreeMap::new(),
    }
}

fn states() -> impl Strategy<Value = MemberState> {
    prop::sample::select(vec![
        MemberState::Starting,
        MemberState::Up,
        MemberState::Draining,
    ])
}

/// A watcher's copy, kept by applying changes.
fn apply(members: &mut BTreeMap<Id, Member>, last: &mut u64, change: WatchEvent) {
    let number = match change {
        WatchEvent::Put { revision, member } => {
            members.insert(id_of(&member), member);
            revision
        }
        WatchEvent::Delete {
            revision,
            service,
            kind,
            id,
        } => {
            assert!(members.remove(&(service, kind, id)).is_some());
            revision
        }
        other => panic!("expected a change, found {other:?}"),
    };
    assert_eq!(number, *last + 1, "no change is left out or told twice");
    *last = number;
}

proptest! {
    /// Whatever changes, and whenever a watcher looks: what it knows from the
    /// changes is what a new snapshot says.
    #[test]
    fn changes_lead_from_any_snapshot_to_the_next(
        steps in prop::collection::vec(
            ("[ab]", prop::collection::btree_map("[1-4]", states(), 0..4), any::<bool>()), 1..60)
    ) {
        let discovery = Discovery::new(3);
        let (mut members, mut last) = (BTreeMap::new(), discovery.revision());
        for (service, set, looks) in steps {
            let set = set.iter().map(|(id, state)| member(&service, id, *state));
            discovery.set(&service, MemberKind::Component, set.collect());
            if !looks {
                continue;
            }
            while let Next::Changes(changes) = discovery.after(last, 2) {
                for change in changes {
                    apply(&mut members, &mut last, change);
                }
            }
            let snapshot = discovery.snapshot();
            prop_assert_eq!(snapshot.revision, last);
            prop_assert_eq!(snapshot.members, members.values().cloned().collect::<Vec<_>>());
        }
    }
}

#[test]
fn who_was_away_for_too_long_is_told_so() {
    let discovery = Discovery::new(0);
    for turn in 0..=REMEMBERED as u64 {
        let id = turn.to_string();
        discovery.set(
            "a",
            MemberKind::Component,
            vec![member("a", &id, MemberState::Up)],
        );
    }
    let now = discovery.revision();
    assert_eq!(discovery.after(now, 10), Next::Nothing);
    assert_eq!(discovery.after(0, 10), Next::Compacted);
    let oldest = now - REMEMBERED as u64;
    assert!(matches!(discovery.after(oldest, 10), Next::Changes(changes) if changes.len() == 10));
    assert_eq!(discovery.after(oldest - 1, 10), Next::Compacted);
    assert_eq!(
        discovery.after(now + 1, 10),
        Next::Compacted,
        "of another registry"
    );
}

#[test]
fn a_later_life_has_larger_numbers_and_remembers_nothing_of_the_one_before() {
    let before = Discovery::new(1);
    before.put(member("a", "1", MemberState::Up));
    let after = Discovery::new(2);
    assert!(after.revision() > before.revision());
    assert_eq!(after.after(before.revision(), 1), Next::Compacted);
}

#[tokio::test]
async fn watchers_wake_on_changes_and_only_then() {
    let discovery = Discovery::new(0);
    let mut woken = discovery.subscribe();
    discovery.put(member("a", "1", MemberState::Up));
    woken.changed().await.unwrap();
    discovery.put(member("a", "1", MemberState::Up));
    assert!(!woken.has_changed().unwrap(), "nothing is new");
}

#[test]
fn what_is_remembered_is_bounded_by_its_bytes_too() {
    let discovery = Discovery::new(0);
    for turn in 0..5000_u32 {
        let metadata = [("zone".to_owned(), format!("{turn}{}", "x".repeat(10_000)))];
        discovery.put(Member {
            metadata: metadata.into(),
            ..member("chat", "one", MemberState::Up)
        });
        let state = discovery.lock();
        let sizes: usize = state.changes.iter().map(size).sum();
        assert_eq!(state.bytes, sizes);
        assert!(sizes <= REMEMBERED_BYTES);
    }
    assert_eq!(discovery.after(0, 1), Next::Compacted);
    assert!(matches!(discovery.after(4999, 1), Next::Changes(_)));
    for turn in 0..REMEMBERED as u32 + 10 {
        let state = [MemberState::Up, MemberState::Draining][turn as usize % 2];
        discovery.put(member("product", "1", state));
    }
    assert!(discovery.lock().changes.len() <= REMEMBERED);
}
