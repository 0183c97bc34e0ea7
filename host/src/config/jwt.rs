//! Settings of the signed tokens (JWT) that the gateway accepts.

use std::path::PathBuf;
use std::time::Duration;

use super::faults::Faults;

/// Issuer of the development tokens that the host signs itself.
pub const DEVELOPMENT_ISSUER: &str = "stoa-development";

/// Whose tokens are accepted, and how they are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// The claim `iss` of tokens that are accepted; `None` accepts none but those
    /// for development.
    pub issuer: Option<String>,
    /// One of these must be in the claim `aud`.
    pub audience: Vec<String>,
    /// Algorithms that are accepted. A key is only ever used for its own.
    pub algorithms: Vec<Algorithm>,
    /// Where the issuer's public keys are.
    pub jwks: Option<Jwks>,
    /// A file with the secret that HS256 tokens are signed with.
    pub secret_file: Option<PathBuf>,
    /// How far the issuer's clock and this one may be apart.
    pub skew: Duration,
    /// How often the public keys are read again.
    pub refresh: Duration,
    /// Whether development tokens are accepted and made.
    pub development: Development,
}

/// Where public keys are: a document as RFC 7517 section 5 has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jwks {
    /// In a file.
    File(PathBuf),
    /// At an address, `https` or `http`.
    Url(String),
}

/// A signature algorithm, RFC 7518 section 3.1 and RFC 8037.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA PKCS #1 with SHA-256.
    Rs256,
    /// ECDSA on P-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// HMAC with SHA-256.
    Hs256,
}

/// Whether `stoa token` works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Development {
    /// An operator can make tokens, which the gateway accepts.
    On,
    /// None are made, and none accepted.
    Off,
}

/// The algorithms by their names in tokens.
pub const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("RS256", Algorithm::Rs256),
    ("ES256", Algorithm::Es256),
    ("EdDSA", Algorithm::EdDsa),
    ("HS256", Algorithm::Hs256),
];

impl Default for Jwt {
    fn default() -> Self {
        Self {
            // Nobody is trusted unasked.
            issuer: None,
            audience: Vec::new(),
            // A key decides which of them it is for, so all four are safe.
            algorithms: ALGORITHMS.map(|(_, algorithm)| algorithm).to_vec(),
            jwks: None,
            secret_file: None,
            // What Envoy allows: clocks without NTP drift by seconds a day.
            skew: Duration::from_secs(60),
            // As Envoy does: a new key is found sooner, when a token names it.
            refresh: Duration::from_secs(600),
            // Only who has the operator's token can make one, and that opens more.
            development: Development::On,
        }
    }
}

impl Jwt {
    /// Settings that are right alone and wrong together.
    pub(super) fn check(&self) -> Faults {
        let mut faults = Faults::default();
        let has_keys = self.jwks.is_some() || self.secret_file.is_some();
        match &self.issuer {
            Some(issuer) if issuer == DEVELOPMENT_ISSUER => faults.add(
                "jwt.issuer",
                format!("{DEVELOPMENT_ISSUER:?} is the host's own: expected another"),
            ),
            Some(_) if !has_keys => faults.add(
                "jwt.issuer",
                "its keys are missing: set `jwt.jwks`, or `jwt.secret_file` for HS256",
            ),
            None if has_keys => faults.add(
                "jwt.issuer",
                "keys without an issuer: set `jwt.issuer` to the `iss` of its tokens",
            ),
            _ => {}
        }
        if self.issuer.is_some() && self.audience.is_empty() {
            faults.add(
                "jwt.audience",
                "expected who the tokens are for: without it, a token for any other service of the issuer opens \
                 this one",
            );
        }
        faults
    }
}

pub(super) fn issuer(text: &str) -> Result<Option<String>, String> {
    some(
        text,
        "the `iss` of tokens, such as https://login.example.com/",
    )
    .map(Some)
}

/// `shop`, or several with commas between.
pub(super) fn audience(text: &str) -> Result<Vec<String>, String> {
    list(text, |one| some(one, "an audience, such as shop"))
}

pub(super) fn algorithms(text: &str) -> Result<Vec<Algorithm>, String> {
    list(text, |one| super::values::word(one, &ALGORITHMS))
}

/// A path or an address.
pub(super) fn jwks(text: &str) -> Result<Option<Jwks>, String> {
    let text = some(
        text,
        "a file or an address of keys, such as https://login.example.com/jwks.json",
    )?;
    if !text.contains("://") {
        return Ok(Some(Jwks::File(text.into())));
    }
    let bad =
        || format!("expected an address that begins with https:// or http://, found {text:?}");
    let uri: http::Uri = text.parse().map_err(|_| bad())?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https" | "http"), Some(_)) => Ok(Some(Jwks::Url(text))),
        _ => Err(bad()),
    }
}

pub(super) fn secret_file(text: &str) -> Result<Option<PathBuf>, String> {
    some(text, "the path of a file").map(|text| Some(text.into()))
}

fn list<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(|one| read(one.trim())).collect()
}

fn some(text: &str, what: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err(format!("expected {what}, found nothing")),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_keys() {
        assert_eq!(jwks("keys.json"), Ok(Some(Jwks::File("keys.json".into()))));
        for url in ["https://a.example/keys", "http://127.0.0.1:1/"] {
            assert_eq!(jwks(url), Ok(Some(Jwks::Url(url.into()))));
        }
        for bad in ["", "ftp://a/", "https://", "https:// a/"] {
            assert!(jwks(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            algorithms("RS256, EdDSA"),
            Ok(vec![Algorithm::Rs256, Algorithm::EdDsa])
        );
        for bad in ["none", "HS512", "RS256,", ""] {
            assert!(algorithms(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn half_an_issuer_is_a_fault() {
        let whole = Jwt {
            issuer: Some("https://a.example".into()),
            audience: vec!["shop".into()],
            jwks: Some(Jwks::File("keys.json".into())),
            ..Jwt::default()
        };
        let faults = |jwt: &Jwt| jwt.check().iter().count();
        assert_eq!((faults(&Jwt::default()), faults(&whole)), (0, 0));
        for half in [
            Jwt {
                issuer: None,
                ..whole.clone()
            },
            Jwt {
                audience: vec![],
                ..whole.clone()
            },
            Jwt {
                jwks: None,
                ..whole.clone()
            },
            Jwt {
                issuer: Some(DEVELOPMENT_ISSUER.into()),
                ..whole.clone()
            },
        ] {
            assert_eq!(faults(&half), 1, "{half:?}");
        }
    }
}
