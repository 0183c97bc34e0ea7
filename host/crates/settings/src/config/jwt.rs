//! Settings of the signed tokens (JWT) that the gateway accepts.

use std::path::PathBuf;
use std::time::Duration;

use super::document::{Document, Value, expected, flat};
use super::faults::Faults;
use super::values;

/// Issuer of the development tokens that the host signs itself.
pub const DEVELOPMENT_ISSUER: &str = "stoa-development";

/// How old public keys may be. An issuer may be away for a night and somebody be woken;
/// a key that was taken back because it leaked must not open doors for longer.
const MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// The issuer of `[jwt]` itself.
    pub issuer: Issuer,
    /// Further ones, of `[[jwt.issuers]]`.
    pub issuers: Vec<Issuer>,
    /// Whether development tokens are accepted and made.
    pub development: Development,
}

/// An issuer, and how its tokens are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The claim `iss` of its tokens; `None` accepts none.
    pub name: Option<String>,
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
    /// How old the public keys may be when they can't be read; `None` is a
    /// day, or `refresh` if that is longer.
    pub max_stale: Option<Duration>,
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
            issuer: Issuer::default(),
            issuers: Vec::new(),
            // Only who has the operator's token can make one, and that opens more.
            development: Development::On,
        }
    }
}

impl Default for Issuer {
    fn default() -> Self {
        Self {
            // Nobody is trusted unasked.
            name: None,
            audience: Vec::new(),
            // A key decides which of them it is for, so all four are safe.
            algorithms: ALGORITHMS.map(|(_, algorithm)| algorithm).to_vec(),
            jwks: None,
            secret_file: None,
            // What Envoy allows: clocks without NTP drift by seconds a day.
            skew: Duration::from_secs(60),
            // As Envoy does: a new key is found sooner, when a token names it.
            refresh: Duration::from_secs(600),
            max_stale: None,
        }
    }
}

/// How a text sets something of an issuer.
pub(super) type Set = fn(&mut Issuer, &str) -> Result<(), String>;

/// What can be set of an issuer, by its key under `[jwt]`; those of `[[jwt.issuers]]` are
/// the same.
pub(super) const SETTINGS: [(&str, Set); 8] = [
    ("jwt.issuer", |i, v| name(v).map(|name| i.name = name)),
    ("jwt.audience", |i, v| {
        audience(v).map(|list| i.audience = list)
    }),
    ("jwt.algorithms", |i, v| {
        algorithms(v).map(|list| i.algorithms = list)
    }),
    ("jwt.jwks", |i, v| jwks(v).map(|from| i.jwks = from)),
    ("jwt.secret_file", |i, v| {
        secret_file(v).map(|file| i.secret_file = file)
    }),
    ("jwt.skew", |i, v| {
        values::duration(v).map(|skew| i.skew = skew)
    }),
    ("jwt.refresh", |i, v| {
        values::positive(v).map(|every| i.refresh = every)
    }),
    ("jwt.max_stale", |i, v| {
        values::positive(v).map(|age| i.max_stale = Some(age))
    }),
];

/// The tables of `[[jwt.issuers]]`.
pub(super) fn issuers(document: &mut Document<'_>, value: &Value<'_>) -> Vec<Issuer> {
    let wanted = "tables, each under [[jwt.issuers]]";
    let Some(list) = value.get_ref().as_array() else {
        let fault = format!("`issuers`: {}", expected(wanted, value.get_ref()));
        document.fault(value.span(), fault);
        return Vec::new();
    };
    let settings = SETTINGS.map(|(name, set)| (name.trim_start_matches("jwt."), set));
    let mut issuers = Vec::new();
    for entry in list {
        let Some(table) = entry.get_ref().as_table() else {
            let fault = format!("`issuers`: {}", expected(wanted, entry.get_ref()));
            document.fault(entry.span(), fault);
            continue;
        };
        let mut issuer = Issuer::default();
        for (key, value) in table {
            match settings.iter().find(|(name, _)| name == key.get_ref()) {
                Some((_, set)) => {
                    let set = flat(value.get_ref()).and_then(|text| set(&mut issuer, &text));
                    document.check(key, value, set);
                }
                None => document.unknown(key, "jwt.issuers", &settings.map(|(name, _)| name)),
            }
        }
        issuers.push(issuer);
    }
    issuers
}

impl Jwt {
    /// Whose tokens are accepted, beside the host's own.
    pub fn trusted(&self) -> impl Iterator<Item = &Issuer> {
        let all = std::iter::once(&self.issuer).chain(&self.issuers);
        all.filter(|issuer| issuer.name.is_some())
    }

    /// Settings that are right alone and wrong together.
    pub(super) fn check(&self) -> Faults {
        let mut faults = Faults::default();
        self.issuer
            .check(|key, fault| faults.add(format!("jwt.{key}"), fault));
        for issuer in &self.issuers {
            let name = issuer.name.as_deref().unwrap_or_default();
            issuer.check(|_, fault| faults.add("jwt.issuers", format!("{name:?}: {fault}")));
            if issuer.name.is_none() && !issuer.has_keys() {
                faults.add(
                    "jwt.issuers",
                    "expected `issuer`, the `iss` of its tokens, in each table",
                );
            }
        }
        let mut names: Vec<_> = self.trusted().filter_map(|it| it.name.as_deref()).collect();
        names.sort_unstable();
        let twice = names.windows(2).filter(|pair| pair[0] == pair[1]);
        for pair in twice {
            faults.add("jwt.issuers", format!("{:?} is in the list twice", pair[0]));
        }
        faults
    }
}

impl Issuer {
    /// How old the public keys may be when they can't be read.
    pub fn max_stale(&self) -> Duration {
        self.max_stale
            .unwrap_or_else(|| self.refresh.max(MAX_STALE))
    }

    fn has_keys(&self) -> bool {
        self.jwks.is_some() || self.secret_file.is_some()
    }

    fn check(&self, mut fault: impl FnMut(&str, String)) {
        match &self.name {
            Some(name) if name == DEVELOPMENT_ISSUER => fault(
                "issuer",
                format!("{DEVELOPMENT_ISSUER:?} is the host's own: expected another"),
            ),
            Some(_) if !self.has_keys() => fault(
                "issuer",
                "its keys are missing: set `jwks`, or `secret_file` for HS256".to_owned(),
            ),
            None if self.has_keys() => fault(
                "issuer",
                "keys without an issuer: set `issuer` to the `iss` of its tokens".to_owned(),
            ),
            _ => {}
        }
        if self.name.is_some() && self.audience.is_empty() {
            fault(
                "audience",
                "expected who the tokens are for, in `audience`: without it, a token for any other service of the \
                 issuer opens this one"
                    .to_owned(),
            );
        }
        let has_key = |algorithm: &Algorithm| match algorithm {
            Algorithm::Hs256 => self.secret_file.is_some(),
            Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa => self.jwks.is_some(),
        };
        let usable = self.algorithms.iter().any(has_key);
        if self.name.is_some() && self.has_keys() && !usable {
            fault(
                "algorithms",
                "no token could be valid: HS256 takes its key from `secret_file`, the others from `jwks`".to_owned(),
            );
        }
        let (stale, refresh) = (self.max_stale(), self.refresh);
        if self.jwks.is_some() && stale < refresh {
            let shown = humantime::format_duration;
            fault(
                "max_stale",
                format!(
                    "expected `refresh` ({}) at least, found {}: keys would be too old before they are read again",
                    shown(refresh),
                    shown(stale)
                ),
            );
        }
    }
}

fn name(text: &str) -> Result<Option<String>, String> {
    some(
        text,
        "the `iss` of tokens, such as https://login.example.com/",
    )
    .map(Some)
}

/// `shop`, or several with commas between.
fn audience(text: &str) -> Result<Vec<String>, String> {
    list(text, |one| some(one, "an audience, such as shop"))
}

fn algorithms(text: &str) -> Result<Vec<Algorithm>, String> {
    list(text, |one| super::values::word(one, &ALGORITHMS))
}

/// A path or an address.
fn jwks(text: &str) -> Result<Option<Jwks>, String> {
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

fn secret_file(text: &str) -> Result<Option<PathBuf>, String> {
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
mod tests;
