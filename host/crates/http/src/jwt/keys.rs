//! Keys that signatures are checked with, each for one algorithm.
//!
//! The type of a key decides its algorithm, so a token can't have a public RSA key
//! taken for an HMAC secret, whatever its header says.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Keys of one issuer at most: each is tried for a token that names none.
const MOST: usize = 64;

/// Bits of an RSA key at least, RFC 7518 section 3.3.
const RSA_BITS: usize = 2048;

/// What RFC 7518 section 3.2 asks of an HS256 secret, in bytes.
pub const LEAST_HS256_SECRET: usize = 32;

/// A key, and the one algorithm that it is for.
#[derive(Clone)]
pub struct VerificationKey {
    /// Name of the key (`kid`); one without is tried for any.
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// The keys of an issuer at one time.
#[derive(Default)]
pub(super) struct KeySet {
    pub(super) keys: Vec<VerificationKey>,
    /// How many sets came before.
    pub(super) generation: u64,
}

impl VerificationKey {
    /// A secret that tokens are signed with by HS256. It should have
    /// [`LEAST_HS256_SECRET`] bytes.
    pub fn hs256(secret: &[u8]) -> Self {
        Self {
            id: None,
            algorithm: Algorithm::HS256,
            decoding: DecodingKey::from_secret(secret),
        }
    }
}

impl KeySet {
    /// The keys that a token of this header may be signed with.
    pub(super) fn candidates(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &VerificationKey> {
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
/// passed over as it asks. So are RSA keys that are too short, with a warning.
///
/// # Errors
/// When there is none.
pub(super) fn read_jwks(document: &[u8]) -> Result<Vec<VerificationKey>, String> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<Value>,
    }
    let document: Document = serde_json::from_slice(document)
        .map_err(|fault| format!("expected a JSON object with a list `keys`, found {fault}"))?;
    // An issuer that has lost its keys takes all of them back so.
    let none = document.keys.is_empty();
    let mut short = Vec::new();
    let read = document.keys.into_iter().filter_map(|value| {
        let jwk = serde_json::from_value(value).ok()?;
        let key = key(&jwk)?;
        match rsa_bits(&jwk) {
            Some(bits) if bits < RSA_BITS => {
                let name = key.id.as_deref().unwrap_or("without kid");
                short.push(format!("the RSA key {name} has {bits} bits"));
                None
            }
            _ => Some(key),
        }
    });
    let keys: Vec<_> = read.take(MOST).collect();
    let short = short.join(", ");
    if keys.is_empty() && !none {
        let short = if short.is_empty() { "none" } else { &short };
        return Err(format!(
            "expected an RSA ({RSA_BITS} bits at least, RFC 7518 section 3.3), P-256 or Ed25519 key \
             for signatures, found {short}"
        ));
    }
    if !short.is_empty() {
        tracing::warn!("{short}, under {RSA_BITS}: tokens signed with it are refused");
    }
    Ok(keys)
}

/// Bits of an RSA key's modulus.
fn rsa_bits(jwk: &Jwk) -> Option<usize> {
    let AlgorithmParameters::RSA(key) = &jwk.algorithm else {
        return None;
    };
    let modulus = URL_SAFE_NO_PAD.decode(&key.n).unwrap_or_default();
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let first = modulus.get(zeros).map_or(0, |byte| byte.leading_zeros());
    Some((modulus.len() - zeros) * 8 - first as usize)
}

fn key(jwk: &Jwk) -> Option<VerificationKey> {
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
    let operations = common.key_operations.as_ref();
    let verifies = operations.is_none_or(|listed| listed.contains(&KeyOperations::Verify));
    if !for_signatures || !verifies || common.key_algorithm.is_some_and(|of| of != name) {
        return None;
    }
    Some(VerificationKey {
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
        let with_ops = |mut key: Value, operations: &[&str]| {
            key["key_ops"] = json!(operations);
            key
        };
        let document = json!({ "keys": [
            with_ops(with("kid", "good"), &["sign", "verify"]),
            with_ops(with("kid", "to sign"), &["sign"]),
            with_ops(with("kid", "for nothing"), &[]),
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

    #[test]
    fn rsa_keys_are_long_enough_or_none() {
        let rsa = |id: &str, modulus: &[u8]| {
            let n = URL_SAFE_NO_PAD.encode(modulus);
            json!({ "kty": "RSA", "kid": id, "n": n, "e": "AQAB" })
        };
        let read = |keys: &[Value]| {
            let read = read_jwks(json!({ "keys": keys }).to_string().as_bytes());
            let id = |key: VerificationKey| key.id.unwrap();
            read.map(|keys| keys.into_iter().map(id).collect::<Vec<_>>())
        };
        let long = rsa("long", &[0xff; 256]);
        // A modulus of 2047 bits, one of 1024, and one that only looks longer.
        let bits = rsa("bits", &[&[0x7f][..], &[0xff; 255]].concat());
        let short = rsa("short", &[0xff; 128]);
        let padded = rsa("padded", &[&[0; 128][..], &[0xff; 128]].concat());
        let all = [bits.clone(), short.clone(), padded, long];
        assert_eq!(read(&all).unwrap(), ["long"]);
        let fault = read(&[short, bits]).unwrap_err();
        assert!(fault.contains("the RSA key short has 1024 bits"), "{fault}");
        assert!(fault.contains("the RSA key bits has 2047 bits"), "{fault}");
    }
}
