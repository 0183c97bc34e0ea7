//! The form of keys and values in the tree.
//!
//! A key is `service NUL bucket NUL key`: names hold no NUL, so buckets never
//! overlap, and a bucket's keys stand together in the order of their bytes. A
//! value is a tag, and the value itself or a pointer to its file.

use uuid::Uuid;

use crate::{BucketId, StoreError};

const INLINE: u8 = 0;
const LARGE: u8 = 1;

/// Where the tree keeps `key` of `bucket`.
pub(super) fn key(bucket: &BucketId, key: &str) -> Vec<u8> {
    let (service, name) = (bucket.service(), bucket.name());
    let mut full = Vec::with_capacity(service.len() + name.len() + key.len() + 2);
    full.extend_from_slice(service.as_bytes());
    full.push(0);
    full.extend_from_slice(name.as_bytes());
    full.push(0);
    full.extend_from_slice(key.as_bytes());
    full
}

/// What all keys of `service` begin with.
pub(super) fn service_prefix(service: &str) -> Vec<u8> {
    let mut prefix = service.as_bytes().to_vec();
    prefix.push(0);
    prefix
}

/// A value as the tree has it.
pub(super) enum Stored<'a> {
    Inline(&'a [u8]),
    Large(Pointer),
}

/// A large value's file and what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pointer {
    pub(super) id: Uuid,
    pub(super) digest: blake3::Hash,
}

impl<'a> Stored<'a> {
    pub(super) fn decode(raw: &'a [u8]) -> Result<Self, StoreError> {
        let bad = || StoreError::Corrupt("an entry of a bucket has an unknown form".into());
        match raw.split_first() {
            Some((&INLINE, value)) => Ok(Self::Inline(value)),
            Some((&LARGE, pointer)) => {
                let (id, digest) = pointer.split_first_chunk::<16>().ok_or_else(bad)?;
                let digest: [u8; 32] = digest.try_into().map_err(|_| bad())?;
                Ok(Self::Large(Pointer {
                    id: Uuid::from_bytes(*id),
                    digest: digest.into(),
                }))
            }
            _ => Err(bad()),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Inline(value) => [&[INLINE], *value].concat(),
            Self::Large(pointer) => [
                &[LARGE],
                &pointer.id.as_bytes()[..],
                pointer.digest.as_bytes(),
            ]
            .concat(),
        }
    }
}
