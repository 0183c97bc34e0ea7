//! Sealing and opening: AES-256-GCM, bound to a secret's name and version.

use std::fmt;
use std::hint::black_box;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use serde::{Deserialize, Serialize};

/// Bytes of a key.
pub(super) const KEY: usize = 32;

/// A key that secrets are sealed with.
pub(super) struct Key {
    aead: RandomizedNonceKey,
    fingerprint: String,
}

/// A value that can't be read without the key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Sealed {
    #[serde(with = "text")]
    nonce: Vec<u8>,
    /// Ends with the tag.
    #[serde(with = "text")]
    data: Vec<u8>,
}

/// A value in the clear, overwritten when it is dropped.
pub struct Secret(Vec<u8>);

impl Key {
    /// `None` when the bytes are no key.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let aead = RandomizedNonceKey::new(&AES_256_GCM, bytes).ok()?;
        let fingerprint = blake3::derive_key("stoa 2026 fingerprint of the key of secrets", bytes);
        Some(Self {
            aead,
            fingerprint: hex::encode(fingerprint),
        })
    }

    /// Tells keys apart, and nothing of the key.
    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(super) fn seal(&self, name: &str, version: u64, value: &[u8]) -> Sealed {
        let mut data = Vec::with_capacity(value.len() + AES_256_GCM.tag_len());
        data.extend_from_slice(value);
        let nonce = self
            .aead
            .seal_in_place_append_tag(bound_to(name, version), &mut data)
            .expect("a value is shorter than the cipher's limit");
        Sealed {
            nonce: nonce.as_ref().to_vec(),
            data,
        }
    }

    /// `None` when it was sealed with another key, for another name or version, or
    /// was damaged.
    pub(super) fn open(&self, name: &str, version: u64, sealed: &Sealed) -> Option<Secret> {
        let nonce = Nonce::try_assume_unique_for_key(&sealed.nonce).ok()?;
        // Dropped as a secret whatever happens.
        let mut opened = Secret(sealed.data.clone());
        let plain = self
            .aead
            .open_in_place(nonce, bound_to(name, version), &mut opened.0)
            .ok()?;
        let length = plain.len();
        opened.0.truncate(length);
        Some(opened)
    }
}

fn bound_to(name: &str, version: u64) -> Aad<Vec<u8>> {
    Aad::from(format!("stoa secret\0{name}\0{version}").into_bytes())
}

// === impl Secret ===

impl Secret {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value; those that are set are text.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Overwrites what nobody may find later.
pub(super) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    // Or the compiler sees that nobody reads it again.
    black_box(bytes);
}

/// Bytes as base64.
mod text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}

/// With one bit of the value or its tag changed.
#[cfg(test)]
pub(super) fn damaged(sealed: &Sealed, bit: proptest::sample::Index) -> Sealed {
    let mut damaged = sealed.clone();
    let bit = bit.index(damaged.data.len() * 8);
    damaged.data[bit / 8] ^= 1 << (bit % 8);
    damaged
}
