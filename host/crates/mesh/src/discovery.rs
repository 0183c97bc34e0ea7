//! What is registered, for who watches it: a snapshot, and each change after it
//! in order.
//!
//! Every change has a number. The last of them are remembered, so that a watcher
//! that was away resumes where it was; one that was away for longer is told so
//! and takes a new snapshot. A watcher holds a number and nothing else: a slow one
//! costs no memory. Calls don't come here: they read [`super::Registry`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use stoa_api::{Directory, Member, MemberKind, MemberState, WatchEvent};

/// Changes that are remembered: a deployment of a large application with room for
/// a watcher's coffee break.
const REMEMBERED: usize = 10_000;
/// Bytes of them: members may tell much of themselves.
const REMEMBERED_BYTES: usize = 8 << 20;
/// About what a change takes beside its texts, in bytes.
const OVERHEAD: usize = 256;
/// Numbers that one life of the host may use: a change each 10 ms for a year.
const EPOCH: u64 = 1 << 32;

/// The members of all services.
pub struct Discovery {
    state: Mutex<State>,
    /// Number of the last change.
    revision: watch::Sender<u64>,
}

/// A watcher's next changes.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// In their order, and not empty.
    Changes(Vec<WatchEvent>),
    /// None yet.
    Nothing,
    /// They are forgotten, or of a registry that this is not.
    Compacted,
}

struct State {
    members: BTreeMap<Id, Member>,
    /// Ends with the last change.
    changes: VecDeque<WatchEvent>,
    /// About what the changes take.
    bytes: usize,
    revision: u64,
}

/// Service, kind, id.
type Id = (String, MemberKind, String);

impl Discovery {
    /// An empty registry in the host's `life`, counted from 0: numbers of a later
    /// life are above all those of the ones before.
    pub fn new(life: u64) -> Self {
        let revision = life.saturating_mul(EPOCH);
        Self {
            state: Mutex::new(State {
                members: BTreeMap::new(),
                changes: VecDeque::new(),
                bytes: 0,
                revision,
            }),
            revision: watch::Sender::new(revision),
        }
    }

    /// Number of the last change.
    pub fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    /// All members.
    pub fn snapshot(&self) -> Directory {
        let state = self.lock();
        Directory {
            revision: state.revision,
            members: state.members.values().cloned().collect(),
        }
    }

    /// The services with members of a kind.
    pub fn services(&self, kind: MemberKind) -> BTreeSet<String> {
        let state = self.lock();
        let ids = state.members.keys().filter(|id| id.1 == kind);
        ids.map(|id| id.0.clone()).collect()
    }

    /// The members of one kind of a service.
    pub fn of(&self, service: &str, kind: MemberKind) -> Vec<Member> {
        let state = self.lock();
        let ids = state.of(service, kind);
        ids.filter_map(|id| state.members.get(id).cloned())
            .collect()
    }

    /// The members of one kind of a service are these, and no others.
    pub fn set(&self, service: &str, kind: MemberKind, members: Vec<Member>) {
        let mut state = self.lock();
        let kept: Vec<_> = members.iter().map(id_of).collect();
        let gone: Vec<_> = state
            .of(service, kind)
            .filter(|id| !kept.contains(id))
            .cloned()
            .collect();
        for id in gone {
            state.delete(&id);
        }
        for member in members {
            state.put(member);
        }
        self.tell(&state);
    }

    /// One member is this now.
    pub fn put(&self, member: Member) {
        let mut state = self.lock();
        state.put(member);
        self.tell(&state);
    }

    /// A revision leaves a state for the next one, or goes; nothing happens when it is
    /// in another by now.
    pub fn leave(&self, service: &str, id: &str, left: MemberState, next: Option<MemberState>) {
        let mut state = self.lock();
        let id = (service.to_owned(), MemberKind::Component, id.to_owned());
        let member = state.members.get(&id);
        let Some(member) = member.filter(|member| member.state == left).cloned() else {
            return;
        };
        match next {
            Some(next) => state.put(Member {
                state: next,
                ..member
            }),
            None => state.delete(&id),
        }
        self.tell(&state);
    }

    /// Changes after `revision`, `most` at most.
    pub fn after(&self, revision: u64, most: usize) -> Next {
        let state = self.lock();
        let oldest = state.revision - state.changes.len() as u64;
        if revision < oldest || revision > state.revision {
            return Next::Compacted;
        }
        let seen = usize::try_from(revision - oldest).unwrap_or(usize::MAX);
        let changes: Vec<_> = state
            .changes
            .iter()
            .skip(seen)
            .take(most)
            .cloned()
            .collect();
        if changes.is_empty() {
            Next::Nothing
        } else {
            Next::Changes(changes)
        }
    }

    /// Tells when there are changes.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    fn tell(&self, state: &State) {
        self.revision.send_if_modified(|revision| {
            let changed = *revision != state.revision;
            *revision = state.revision;
            changed
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each step under the lock leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn of(&self, service: &str, kind: MemberKind) -> impl Iterator<Item = &Id> {
        let first = (service.to_owned(), kind, String::new());
        self.members
            .range(first..)
            .map(|(id, _)| id)
            .take_while(move |id| id.0 == service && id.1 == kind)
    }

    fn put(&mut self, member: Member) {
        let id = id_of(&member);
        if self.members.get(&id) == Some(&member) {
            return;
        }
        self.members.insert(id, member.clone());
        self.revision += 1;
        let revision = self.revision;
        self.remember(WatchEvent::Put { revision, member });
    }

    fn delete(&mut self, id: &Id) {
        if self.members.remove(id).is_none() {
            return;
        }
        let (service, kind, id) = id.clone();
        self.revision += 1;
        let revision = self.revision;
        self.remember(WatchEvent::Delete {
            revision,
            service,
            kind,
            id,
        });
    }

    fn remember(&mut self, change: WatchEvent) {
        self.bytes += size(&change);
        self.changes.push_back(change);
        while self.changes.len() > REMEMBERED || self.bytes > REMEMBERED_BYTES {
            let Some(oldest) = self.changes.pop_front() else {
                break;
            };
            self.bytes -= size(&oldest);
        }
    }
}

fn size(change: &WatchEvent) -> usize {
    let texts = match change {
        WatchEvent::Put { member, .. } => {
            let told = member.metadata.iter();
            let told = told.map(|(name, value)| name.len() + value.len() + OVERHEAD / 4);
            member.service.len() + member.id.len() + told.sum::<usize>()
        }
        WatchEvent::Delete { service, id, .. } => service.len() + id.len(),
        _ => 0,
    };
    OVERHEAD + texts
}

fn id_of(member: &Member) -> Id {
    (member.service.clone(), member.kind, member.id.clone())
}

#[cfg(test)]
mod tests;
