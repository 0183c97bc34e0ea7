//! The queue as simple as can be.

use std::collections::{BTreeMap, BTreeSet};

use crate::log::{Exhausted, Purge, Redrive, Standing, SubscriberStats};

/// A queue.
#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) subscribers: Vec<&'static str>,
    pub(super) messages: Vec<Message>,
    /// By the id of the sender: which message, and how long.
    pub(super) remembered: BTreeMap<u8, (u64, u64)>,
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) id: u64,
    pub(super) key: Option<u8>,
    pub(super) state: State,
    /// By the subscribers that need it.
    pub(super) entries: BTreeMap<&'static str, Entry>,
}

/// How it is with a message for a subscriber.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) state: State,
    /// What a crash leaves.
    pub(super) kept: State,
    pub(super) attempts: u32,
    pub(super) error: Option<String>,
    /// The last claim, unless it is known what became of it.
    pub(super) claim: Option<usize>,
}

/// With the second when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    InFlight(u64),
    Delayed(u64),
    Retrying(u64),
    Dead,
    Paused,
}

/// A message that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claimed {
    pub(super) id: u64,
    pub(super) attempts: u32,
    pub(super) error: Option<String>,
}

impl Reference {
    pub(super) fn add(&mut self, id: u64, key: Option<u8>, state: State) {
        let entries = self
            .subscribers
            .iter()
            .map(|name| (*name, Entry::new(state)));
        self.messages.push(Message {
            id,
            key,
            state,
            entries: entries.collect(),
        });
    }

    pub(super) fn subscribe(&mut self, name: &'static str) {
        if self.subscribers.contains(&name) {
            return;
        }
        if self.subscribers.is_empty() {
            for message in &mut self.messages {
                message.entries.insert(name, Entry::new(message.state));
            }
        }
        self.subscribers.push(name);
    }

    pub(super) fn unsubscribe(&mut self, name: &'static str) {
        if self.subscribers.contains(&name) {
            self.subscribers.retain(|known| *known != name);
            self.remove(name, |_| true);
        }
    }

    pub(super) fn entry(&mut self, id: u64, name: &str) -> Option<&mut Entry> {
        let message = self.messages.iter_mut().find(|message| message.id == id)?;
        message.entries.get_mut(name)
    }

    pub(super) fn claim(&mut self, name: &'static str, most: usize, until: u64) -> Vec<Claimed> {
        let mut claimed = Vec::new();
        for at in 0..self.messages.len() {
            if claimed.len() < most && self.is_claimable(at, name) {
                let id = self.messages[at].id;
                let Some(entry) = self.entry(id, name) else {
                    continue;
                };
                entry.state = State::InFlight(until);
                claimed.push(Claimed {
                    id,
                    attempts: entry.attempts,
                    error: entry.error.clone(),
                });
            }
        }
        claimed
    }

    /// Whether it is due and nothing of its key is in its way.
    fn is_claimable(&self, at: usize, name: &str) -> bool {
        let message = &self.messages[at];
        let state = |message: &Message| message.entries.get(name).map(|entry| entry.state);
        if state(message) != Some(State::Waiting) {
            return false;
        }
        let of_key = self
            .messages
            .iter()
            .filter(|other| message.key.is_some() && other.key == message.key);
        let mut others = of_key.filter(|other| other.id != message.id);
        !others.any(|other| match state(other) {
            Some(State::InFlight(_) | State::Paused) => true,
            Some(State::Waiting | State::Retrying(_)) => other.id < message.id,
            Some(State::Delayed(_) | State::Dead) | None => false,
        })
    }

    /// Whether none of the key of a message is in flight, nor paused.
    pub(super) fn is_free(&self, id: u64, name: &str) -> bool {
        let key = self.messages.iter().find(|message| message.id == id);
        let Some(key) = key.and_then(|message| message.key) else {
            return true;
        };
        let of_key = self.messages.iter().filter(|other| other.key == Some(key));
        let mut states = of_key.filter_map(|other| Some(other.entries.get(name)?.state));
        !states.any(|state| matches!(state, State::InFlight(_) | State::Paused))
    }

    pub(super) fn advance(&mut self, now: u64, name: Option<&str>) {
        for message in &mut self.messages {
            for (whose, entry) in &mut message.entries {
                if name.is_none_or(|name| name == *whose)
                    && entry.state.ends().is_some_and(|end| end <= now)
                {
                    entry.state = State::Waiting;
                }
            }
        }
    }

    /// Zero is now.
    pub(super) fn next_due(&self, name: &str) -> Option<u64> {
        if (0..self.messages.len()).any(|at| self.is_claimable(at, name)) {
            return Some(0);
        }
        let entries = self
            .messages
            .iter()
            .filter_map(|message| message.entries.get(name));
        entries.filter_map(|entry| entry.state.ends()).min()
    }

    pub(super) fn redrive(&mut self, name: &str, which: &Redrive, most: usize) -> u64 {
        let mut count = 0;
        for message in &mut self.messages {
            let wanted = match which {
                Redrive::All => true,
                Redrive::Ids(ids) => ids.contains(&message.id),
            };
            if let Some(entry) = message.entries.get_mut(name).filter(|_| wanted)
                && matches!(entry.state, State::Dead | State::Paused)
                && count < most as u64
            {
                (entry.attempts, count) = (0, count + 1);
                entry.settle(State::Waiting);
            }
        }
        count
    }

    pub(super) fn purge(&mut self, name: &'static str, what: Purge) -> u64 {
        self.remove(name, |state| match what {
            Purge::All => true,
            Purge::Dead => state == State::Dead,
            Purge::Waiting => !matches!(state, State::Dead | State::InFlight(_)),
        })
    }

    pub(super) fn done(&mut self, id: u64, name: &str) {
        for message in &mut self.messages {
            if message.id == id {
                message.entries.remove(name);
            }
        }
        self.messages
            .retain(|message| message.id != id || !message.entries.is_empty());
    }

    fn remove(&mut self, name: &str, wanted: impl Fn(State) -> bool) -> u64 {
        let has = |message: &Message| {
            message
                .entries
                .get(name)
                .is_some_and(|entry| wanted(entry.state))
        };
        let ids: Vec<_> = self
            .messages
            .iter()
            .filter(|message| has(message))
            .map(|message| message.id)
            .collect();
        ids.iter().for_each(|id| self.done(*id, name));
        ids.len() as u64
    }

    pub(super) fn crash(&mut self) {
        for message in &mut self.messages {
            for entry in message.entries.values_mut() {
                (entry.state, entry.claim) = (entry.kept, None);
            }
        }
    }

    pub(super) fn stats(&self, name: &str) -> SubscriberStats {
        let entries = || {
            self.messages
                .iter()
                .filter_map(|message| message.entries.get(name))
        };
        let count = |wanted| {
            entries()
                .filter(|entry| entry.state.standing() == wanted)
                .count() as u64
        };
        let is_paused = |message: &&Message| {
            let entry = message.entries.get(name);
            entry.is_some_and(|entry| entry.state == State::Paused)
        };
        let paused = self.messages.iter().filter(is_paused);
        let paused_keys: BTreeSet<_> = paused.map(|message| message.key).collect();
        SubscriberStats {
            name: name.to_owned(),
            waiting: count(Standing::Waiting),
            in_flight: count(Standing::InFlight),
            delayed: count(Standing::Delayed),
            retrying: count(Standing::Retrying),
            dead: count(Standing::Dead),
            paused_keys: paused_keys.len() as u64,
            oldest: None,
        }
    }
}

impl Entry {
    fn new(state: State) -> Self {
        Self {
            state,
            kept: state,
            attempts: 0,
            error: None,
            claim: None,
        }
    }

    /// Whether a claim is the last one, and not settled.
    pub(super) fn is_held(&self, claim: usize) -> bool {
        let live = matches!(self.state, State::InFlight(_) | State::Waiting);
        live && self.claim == Some(claim)
    }

    pub(super) fn settle(&mut self, state: State) {
        (self.state, self.kept, self.claim) = (state, state, None);
    }

    pub(super) fn bury(&mut self, error: String, how: Exhausted, keyed: bool) {
        (self.attempts, self.error) = (self.attempts + 1, Some(error));
        self.settle(match how {
            Exhausted::PauseKey if keyed => State::Paused,
            _ => State::Dead,
        });
    }
}

impl State {
    pub(super) fn ends(self) -> Option<u64> {
        match self {
            Self::InFlight(end) | Self::Delayed(end) | Self::Retrying(end) => Some(end),
            Self::Waiting | Self::Dead | Self::Paused => None,
        }
    }

    fn standing(self) -> Standing {
        match self {
            Self::Waiting => Standing::Waiting,
            Self::InFlight(_) => Standing::InFlight,
            Self::Delayed(_) => Standing::Delayed,
            Self::Retrying(_) => Standing::Retrying,
            Self::Dead => Standing::Dead,
            Self::Paused => Standing::Paused,
        }
    }
}
