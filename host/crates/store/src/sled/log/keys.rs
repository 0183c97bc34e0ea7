//! Where the tree keeps what belongs to a queue.
//!
//! A key is `NUL kind queue NUL` and the rest. A bucket's key begins with the name of a
//! service, which has no NUL: the two never overlap. Names of queues hold no NUL either,
//! and the kind comes first so that a start reads what it needs, and nothing else.

use crate::log::Millis;
use crate::log::journal::Digest;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Below which number messages may be.
    Reserved = b'n',
    /// Before which number messages wait for no later subscriber.
    Floor = b'f',
    /// A subscriber: its first message.
    Subscriber = b'u',
    /// A message, with the start of its body.
    Message = b'm',
    /// More of a body.
    Piece = b'b',
    /// How it is with a message for a subscriber.
    Mark = b's',
    /// The message with an id.
    Remembered = b'd',
    /// When an id is forgotten.
    End = b'e',
}

/// The keys of a queue.
pub(super) struct Keys<'a>(&'a str);

impl<'a> Keys<'a> {
    pub(super) fn of(queue: &'a str) -> Self {
        Self(queue)
    }

    pub(super) fn reserved(&self) -> Vec<u8> {
        self.all(Kind::Reserved)
    }

    pub(super) fn floor(&self) -> Vec<u8> {
        self.all(Kind::Floor)
    }

    pub(super) fn subscriber(&self, name: &str) -> Vec<u8> {
        self.key(Kind::Subscriber, &[name.as_bytes()])
    }

    pub(super) fn message(&self, id: u64) -> Vec<u8> {
        self.key(Kind::Message, &[&id.to_be_bytes()])
    }

    pub(super) fn piece(&self, id: u64, number: u16) -> Vec<u8> {
        self.key(Kind::Piece, &[&id.to_be_bytes(), &number.to_be_bytes()])
    }

    pub(super) fn mark(&self, id: u64, subscriber: &str) -> Vec<u8> {
        self.key(Kind::Mark, &[&id.to_be_bytes(), subscriber.as_bytes()])
    }

    pub(super) fn remembered(&self, of: &Digest) -> Vec<u8> {
        self.key(Kind::Remembered, &[of])
    }

    pub(super) fn end(&self, until: Millis, of: &Digest) -> Vec<u8> {
        self.key(Kind::End, &[&until.to_be_bytes(), of])
    }

    /// What all keys of a kind begin with.
    pub(super) fn all(&self, kind: Kind) -> Vec<u8> {
        self.key(kind, &[])
    }

    fn key(&self, kind: Kind, rest: &[&[u8]]) -> Vec<u8> {
        let rest = rest.concat();
        let mut key = Vec::with_capacity(self.0.len() + rest.len() + 3);
        key.extend_from_slice(&prefix(kind));
        key.extend_from_slice(self.0.as_bytes());
        key.push(0);
        key.extend_from_slice(&rest);
        key
    }
}

/// What the keys of a kind begin with, in all queues.
pub(super) fn prefix(kind: Kind) -> [u8; 2] {
    [0, kind as u8]
}

/// The queue's name and the rest of a key.
pub(super) fn split(key: &[u8]) -> Option<(&str, &[u8])> {
    let key = key.get(2..)?;
    let end = key.iter().position(|byte| *byte == 0)?;
    let queue = std::str::from_utf8(&key[..end]).ok()?;
    Some((queue, &key[end + 1..]))
}

/// The id of which a [`Kind::End`] tells.
pub(super) fn digest(key: &[u8]) -> Option<&Digest> {
    key.last_chunk()
}
