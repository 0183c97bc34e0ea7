//! Operations by chance, done twice.

use std::collections::BTreeMap;

use super::{Reference, told};
use crate::conformance::{ALL, Mortal, WIDE, at};
use crate::log::{Bounds, NewMessage, Peek};
use crate::{Append, BucketId, Commit, Swap, Uncommitted};

const BUCKETS: [(&str, &str); 4] = [("a", "x"), ("a", "y"), ("ab", "x"), ("b", "x")];
/// Some are the start of others.
const KEYS: [&str; 5] = ["", "a", "a\0", "aa", "é"];
const QUEUES: [&str; 3] = ["p", "q", "qq"];

/// Something to do with buckets. Numbers of buckets, keys, values and queues that are too
/// great begin again with the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Asks for a value, and whether there is one.
    Get(At),
    /// Writes a value.
    Set(At, u8),
    /// Removes a value.
    Delete(At),
    /// Adds to a number.
    Increment(At, i64),
    /// Writes a value over another.
    Swap(At, Guess, u8),
    /// Writes a value over another, with messages.
    Commit {
        /// Where.
        at: At,
        /// Over which.
        guess: Guess,
        /// Which.
        new: u8,
        /// A message to each.
        queues: Vec<u8>,
        /// How many may be in each.
        limit: u8,
    },
    /// Writes values of a bucket.
    SetMany(u8, Vec<(u8, u8)>),
    /// Removes values of a bucket.
    DeleteMany(u8, Vec<u8>),
    /// Asks for values of a bucket, with room for so many bytes.
    GetMany(u8, Vec<u8>, usize),
    /// Lists a bucket, in pages of so many keys.
    List(u8, u8),
    /// Removes what the service of a bucket has.
    Purge(u8),
    /// The host dies and comes back.
    Crash,
}

/// A bucket, and a key in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At(pub u8, pub u8);

/// What a caller takes for the value at a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// What is there.
    Right,
    /// No value.
    Nothing,
    /// Some value.
    Some(u8),
}

/// An engine and the model at the same point.
#[derive(Default)]
pub(super) struct Run {
    reference: Reference,
    sent: u32,
}

impl Run {
    pub(super) async fn step(&mut self, engine: &impl Mortal, operation: &Operation) {
        match operation {
            Operation::Get(at) => self.get(engine, *at).await,
            Operation::Set(at, new) => {
                self.set_many(engine, at.0, &[(at.1, *new)], true).await;
            }
            Operation::Delete(at) => self.delete_many(engine, at.0, &[at.1], true).await,
            Operation::Increment(at, delta) => self.increment(engine, *at, *delta).await,
            Operation::Swap(at, guess, new) => self.swap(engine, *at, *guess, *new).await,
            Operation::Commit { .. } => self.commit(engine, operation).await,
            Operation::SetMany(bucket, pairs) => {
                self.set_many(engine, *bucket, pairs, false).await;
            }
            Operation::DeleteMany(bucket, keys) => {
                self.delete_many(engine, *bucket, keys, false).await;
            }
            Operation::GetMany(bucket, keys, room) => {
                self.get_many(engine, *bucket, keys, *room).await;
            }
            Operation::List(bucket, limit) => self.list(engine, *bucket, *limit).await,
            Operation::Purge(bucket) => self.purge(engine, *bucket).await,
            Operation::Crash => {}
        }
    }

    /// Compares all that there is.
    pub(super) async fn look(&mut self, engine: &impl Mortal) {
        for number in 0..BUCKETS.len() as u8 {
            for key in 0..KEYS.len() as u8 {
                self.get(engine, At(number, key)).await;
            }
            self.list(engine, number, 2).await;
        }
        let log = engine.log();
        for queue in QUEUES {
            let what = Peek { most: 1000, ..ALL };
            let found = log.peek(queue, what, at(0)).await.unwrap();
            let found = found.into_iter().map(|peeked| peeked.body);
            let found = found.map(|body| String::from_utf8(body).unwrap());
            let expected = self.reference.queues.get(queue);
            let expected = expected.cloned().unwrap_or_default();
            assert_eq!(found.collect::<Vec<_>>(), expected, "{queue}");
        }
    }

    async fn get(&mut self, engine: &impl Mortal, at: At) {
        let (keyvalue, bucket, key) = (engine.keyvalue(), bucket(at.0), key(at.1));
        let expected = self.reference.get(place(at));
        let found = keyvalue.get(&bucket, key).await.unwrap();
        assert!(found.as_deref() == expected, "{bucket} {key:?}");
        let exists = keyvalue.exists(&bucket, key).await.unwrap();
        assert_eq!(exists, expected.is_some(), "{bucket} {key:?}");
    }

    async fn set_many(&mut self, engine: &impl Mortal, of: u8, pairs: &[(u8, u8)], one: bool) {
        let keyvalue = engine.keyvalue();
        let named = pairs
            .iter()
            .map(|(k, new)| (key(*k).to_owned(), value(*new)));
        let named: Vec<_> = named.collect();
        match named.first() {
            Some((key, new)) if one => keyvalue.set(&bucket(of), key, new).await.unwrap(),
            _ => keyvalue.set_many(&bucket(of), &named).await.unwrap(),
        }
        for (key, new) in pairs {
            let at = place(At(of, *key));
            self.reference.values.insert(at, value(*new));
        }
    }

    async fn delete_many(&mut self, engine: &impl Mortal, of: u8, keys: &[u8], one: bool) {
        let keyvalue = engine.keyvalue();
        let named = names(keys);
        match named.first() {
            Some(key) if one => keyvalue.delete(&bucket(of), key).await.unwrap(),
            _ => keyvalue.delete_many(&bucket(of), &named).await.unwrap(),
        }
        for key in keys {
            self.reference.values.remove(&place(At(of, *key)));
        }
    }

    async fn increment(&mut self, engine: &impl Mortal, at: At, delta: i64) {
        let (keyvalue, bucket) = (engine.keyvalue(), bucket(at.0));
        let sum = keyvalue.increment(&bucket, key(at.1), delta).await;
        let expected = self.reference.increment(place(at), delta);
        assert_eq!(told(sum), expected);
    }

    async fn swap(&mut self, engine: &impl Mortal, at: At, guess: Guess, new: u8) {
        let (keyvalue, bucket, new) = (engine.keyvalue(), bucket(at.0), value(new));
        let guess = self.guess(at, guess);
        let swapped = keyvalue.compare_and_swap(&bucket, key(at.1), guess.as_deref(), &new);
        let expected = self.reference.swap(place(at), guess.as_deref(), &new);
        assert!(swapped.await.unwrap() == expected, "{at:?}");
    }

    async fn commit(&mut self, engine: &impl Mortal, operation: &Operation) {
        let Operation::Commit {
            at,
            guess,
            new,
            queues,
            limit,
        } = operation
        else {
            return;
        };
        let guess = self.guess(*at, *guess);
        let appends = self.appends(queues, *limit);
        let (bucket, new) = (bucket(at.0), value(*new));
        let swap = Swap {
            bucket: &bucket,
            key: key(at.1),
            expected: guess.as_deref(),
            new: &new,
        };
        let found = commit(&*engine.commits(), swap, appends.clone()).await;
        let expected = self.expect(*at, swap, &appends);
        assert!(found == expected, "{operation:?}");
    }

    fn appends(&mut self, queues: &[u8], limit: u8) -> Vec<Append> {
        let append = |queue: &u8| {
            self.sent += 1;
            Append {
                queue: QUEUES[usize::from(*queue) % QUEUES.len()].to_owned(),
                message: NewMessage {
                    body: self.sent.to_string().into_bytes(),
                    ..NewMessage::default()
                },
                bounds: Bounds {
                    messages: limit.into(),
                    ..WIDE
                },
            }
        };
        queues.iter().map(append).collect()
    }

    /// Does a commit to the model.
    fn expect(&mut self, at: At, swap: Swap<'_>, appends: &[Append]) -> Result<(), Uncommitted> {
        let named = |append: &Append| QUEUES.into_iter().find(|name| *name == append.queue);
        let mut more = BTreeMap::new();
        for queue in appends.iter().filter_map(named) {
            *more.entry(queue).or_default() += 1;
        }
        let limit = appends.first().map_or(0, |append| append.bounds.messages);
        let fits = self.reference.room(&more, limit);
        if self.reference.get(place(at)) == swap.expected {
            fits?;
        }
        let swapped = self.reference.swap(place(at), swap.expected, swap.new);
        swapped.map_err(Uncommitted::Stale)?;
        for append in appends {
            let body = String::from_utf8(append.message.body.clone()).unwrap();
            let queue = named(append).unwrap();
            self.reference.queues.entry(queue).or_default().push(body);
        }
        Ok(())
    }

    async fn get_many(&mut self, engine: &impl Mortal, of: u8, keys: &[u8], room: usize) {
        let keyvalue = engine.keyvalue();
        let expected = keys
            .iter()
            .map(|key| self.reference.get(place(At(of, *key))));
        let expected: Vec<_> = expected.map(|value| value.map(<[u8]>::to_vec)).collect();
        let size: usize = expected.iter().flatten().map(Vec::len).sum();
        let fits = (size <= room).then_some(expected).ok_or("too large");
        let found = keyvalue.get_many(&bucket(of), &names(keys), room).await;
        assert!(told(found) == fits, "{keys:?} of {}", bucket(of));
    }

    async fn list(&mut self, engine: &impl Mortal, of: u8, limit: u8) {
        let (keyvalue, bucket) = (engine.keyvalue(), bucket(of));
        let (mut keys, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = keyvalue.list(&bucket, cursor.as_deref(), limit.into());
            let page = page.await.unwrap();
            keys.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let expected = self.reference.keys(place(At(of, 0)).0);
        assert_eq!(keys, expected, "{bucket}");
    }

    async fn purge(&mut self, engine: &impl Mortal, of: u8) {
        let service = bucket(of).service().to_owned();
        engine.keyvalue().purge(&service).await.unwrap();
        let values = &mut self.reference.values;
        values.retain(|(number, _), _| BUCKETS[*number].0 != service);
    }

    fn guess(&self, at: At, guess: Guess) -> Option<Vec<u8>> {
        match guess {
            Guess::Right => self.reference.get(place(at)).map(<[u8]>::to_vec),
            Guess::Nothing => None,
            Guess::Some(number) => Some(value(number)),
        }
    }
}

async fn commit(
    commits: &dyn Commit,
    swap: Swap<'_>,
    appends: Vec<Append>,
) -> Result<(), Uncommitted> {
    commits.commit(swap, appends, at(0)).await.unwrap()
}

fn place(at: At) -> (usize, &'static str) {
    (usize::from(at.0) % BUCKETS.len(), key(at.1))
}

fn bucket(number: u8) -> BucketId {
    let (service, name) = BUCKETS[usize::from(number) % BUCKETS.len()];
    BucketId::new(service, name).unwrap()
}

fn key(number: u8) -> &'static str {
    KEYS[usize::from(number) % KEYS.len()]
}

fn names(keys: &[u8]) -> Vec<String> {
    keys.iter().map(|number| key(*number).to_owned()).collect()
}

/// Numbers, texts, and a large one.
fn value(number: u8) -> Vec<u8> {
    match number % 8 {
        0 => Vec::new(),
        1 => b"apple".to_vec(),
        2 => i64::MAX.to_string().into_bytes(),
        3 => vec![b'x'; 17 << 10],
        other => other.to_string().into_bytes(),
    }
}
