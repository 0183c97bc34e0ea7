//! The form of keys and values in the tree.
//!
//! `c` + container → when it was made, `o` + container + NUL + object → what there is of
//! it, `d` + digest + the object's key → nothing: that is how a file is known to have a
//! name. A container is its service, NUL, and its name: names hold no NUL.

use std::time::SystemTime;

use super::files::Digest;
use crate::log::{Millis, millis, time};
use crate::{ContainerId, ObjectId, ObjectInfo, StoreError};

/// What the tree keeps of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    created: Millis,
    pub(super) size: u64,
    pub(super) digest: Digest,
}

// === impl Entry ===

impl Entry {
    pub(super) fn new(now: SystemTime, size: u64, digest: Digest) -> Self {
        Self {
            created: millis(now),
            size,
            digest,
        }
    }

    pub(super) fn info(&self) -> ObjectInfo {
        ObjectInfo {
            size: self.size,
            created: time(self.created),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        [
            &self.created.to_be_bytes()[..],
            &self.size.to_be_bytes(),
            &self.digest,
        ]
        .concat()
    }

    pub(super) fn decode(raw: &[u8]) -> Result<Self, StoreError> {
        let parse = || {
            let (created, rest) = raw.split_first_chunk()?;
            let (size, digest) = rest.split_first_chunk()?;
            Some(Self {
                created: Millis::from_be_bytes(*created),
                size: u64::from_be_bytes(*size),
                digest: digest.try_into().ok()?,
            })
        };
        parse().ok_or_else(damaged)
    }
}

/// When a container was made.
pub(super) fn made(raw: &[u8]) -> Result<SystemTime, StoreError> {
    let made = raw.try_into().map(Millis::from_be_bytes);
    made.map(time).map_err(|_| damaged())
}

pub(super) fn container(of: &ContainerId) -> Vec<u8> {
    [b"c", of.service().as_bytes(), &[0], of.name().as_bytes()].concat()
}

pub(super) fn object(of: &ObjectId) -> Vec<u8> {
    let mut key = objects_in(of.container());
    key.extend_from_slice(of.name().as_bytes());
    key
}

/// What the keys of a container's objects begin with.
pub(super) fn objects_in(container: &ContainerId) -> Vec<u8> {
    let (service, name) = (container.service(), container.name());
    [b"o", service.as_bytes(), &[0], name.as_bytes(), &[0]].concat()
}

/// What the keys of one kind of a service begin with: `c` or `o`.
pub(super) fn of_service(kind: u8, service: &str) -> Vec<u8> {
    [&[kind], service.as_bytes(), &[0]].concat()
}

/// What the keys of all objects begin with.
pub(super) const OBJECTS: &[u8] = b"o";

/// Whose an object is, by its key.
pub(super) fn service(object: &[u8]) -> Result<&str, StoreError> {
    let service = object
        .get(1..)
        .and_then(|key| key.split(|byte| *byte == 0).next());
    let service = service.and_then(|name| std::str::from_utf8(name).ok());
    service.ok_or_else(damaged)
}

/// That an object has this content.
pub(super) fn named(digest: &Digest, object: &[u8]) -> Vec<u8> {
    [&names_of(digest)[..], object].concat()
}

/// What the keys of all that has this content begin with.
pub(super) fn names_of(digest: &Digest) -> Vec<u8> {
    [b"d", &digest[..]].concat()
}

fn damaged() -> StoreError {
    StoreError::Corrupt("an entry of a blob has an unknown form".into())
}
