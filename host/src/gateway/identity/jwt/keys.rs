//! Keys that signatures are checked with, each for one algorithm.
//!
//! The type of a key decides its algorithm, so a token can't have a public RSA key
//! taken for an HMAC secret, whatever its header says.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Keys of one issuer at most: each is tried for a token that names none.
const MOST: usize = 64;

/// One key.
#[derive(Clone)]
pub(super) struct Key {
    /// Name of the key (`kid`); one without is tried for any.
    pub(super) id: Option<String>,
    /// The one algorithm that it is for.
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// The keys of an issuer at one time.
#[derive(Default)]
pub(super) struct KeySet {
    pub(super) keys: Vec<Key>,
    /// How many sets came before.
    pub(super) generation: u64,
}

impl KeySet {
    /// The keys that a token of this header may be signed with.
    pub(super) fn candidates(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| {
            let named = match (id, key.id.as_deref()) {
                (Some(wanted), Some(id)) => wanted == id,
                _ => true,
            };
            named && key.algorithm == algorithm
        })
    }
}

/// The usable keys of a JWKS document, RFC 7517 section 5: unknown types are
/// passed over as it asks.
///
/// # Errors
/// When there is none.
pub(super) fn read_jwks(document: &[u8]) -> Result<Vec<Key>, String> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<Value>,
    }
    let document: Document = serde_json::from_slice(document)
        .map_err(|fault| format!("expected a JSON object with a list `keys`, found {fault}"))?;
    // An issuer that has lost its keys takes all of them back so.
    let none = document.keys.is_empty();
    let keys: Vec<_> = document
        .keys
        .into_iter()
        .filter_map(|value| key(&serde_json::from_value(value).ok()?))
        .take(MOST)
        .collect();
    if keys.is_empty() && !none {
        return Err("expected an RSA, P-256 or Ed25519 key for signatures, found none".to_owned());
    }
    Ok(keys)
}

fn key(jwk: &Jwk) -> Option<Key> {
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        // A secret in a public document is none: HS256 has a file of its own.
        _ => return None,
    };
    let common = &jwk.common;
    let for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    if !for_signatures || common.key_algorithm.is_some_and(|of| of != name) {
        return None;
    }
    Some(Key {
        id: common.key_id.clone(),
        algorithm,
        decoding: DecodingKey::from_jwk(jwk).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_keys_for_our_algorithms_are_taken() {
        let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        let with = |name: &str, value: &str| {
            let mut key = ed.clone();
            key[name] = value.into();
            key
        };
        let document = json!({ "keys": [
            with("kid", "good"),
            with("use", "enc"),
            with("alg", "RS256"),
            { "kty": "oct", "k": "c2VjcmV0" },
            { "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA" },
            { "kty": "unheard-of" },
            7,
        ] });
        let keys = read_jwks(document.to_string().as_bytes()).unwrap();
        let ids: Vec<_> = keys.iter().map(|key| key.id.as_deref()).collect();
        assert_eq!(
            (ids, keys[0].algorithm),
            (vec![Some("good")], Algorithm::EdDSA)
        );
        let none = read_jwks(b"{\"keys\": []}").unwrap();
        assert!(none.is_empty(), "an issuer takes all its keys back");
        for bad in [
            "",
            "[]",
            "{}",
            "{\"keys\": [{\"kty\": \"oct\", \"k\": \"AA\"}]}",
        ] {
            assert!(read_jwks(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
