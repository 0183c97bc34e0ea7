//! The caller of a call.

use std::fmt::Write;

use http::HeaderValue;
use serde::Serialize;

/// Who calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Principal {
    /// The caller's name, unique with its issuer. No token has one that stands for
    /// the operator, an API key or a certificate.
    pub subject: String,
    /// What the caller may do.
    pub scopes: Vec<String>,
    /// Further claims of the caller's token, as strings.
    pub claims: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Document<'p> {
    subject: &'p str,
    scopes: &'p [String],
    claims: serde_json::Map<String, serde_json::Value>,
}

impl Principal {
    /// Who issued the caller's token; `None` for who is known by other means. Only with
    /// it does a subject stand for one caller.
    pub fn issuer(&self) -> Option<&str> {
        let claim = self.claims.iter().find(|(name, _)| name == "iss");
        claim.map(|(_, issuer)| issuer.as_str())
    }

    /// The header `x-stoa-principal` of a request that goes to a component's own
    /// handler: `{"subject": "alice", "scopes": ["orders:read"], "claims": {"iss": "…"}}`,
    /// in ASCII. `None` where it could not stand in a header, which is never.
    pub fn to_header(&self) -> Option<HeaderValue> {
        let claims = self
            .claims
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()));
        let document = Document {
            subject: &self.subject,
            scopes: &self.scopes,
            claims: claims.collect(),
        };
        let json = serde_json::to_string(&document).ok()?;
        HeaderValue::try_from(ascii(json)).ok()
    }
}

/// JSON in ASCII alone: headers have no other encoding that all agree on.
fn ascii(json: String) -> String {
    if json.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() * 2);
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            escaped.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(escaped, "\\u{unit:04x}").expect("a string takes all that is written");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_principal_goes_through_a_header(subject: String, scopes: Vec<String>, claim: String) {
            let principal = Principal {
                subject: subject.clone(),
                scopes: scopes.clone(),
                claims: vec![("c".to_owned(), claim.clone())],
            };
            let header = principal.to_header().unwrap();
            let read: serde_json::Value = serde_json::from_str(header.to_str().unwrap()).unwrap();
            prop_assert_eq!(read, serde_json::json!({ "subject": subject, "scopes": scopes, "claims": { "c": claim } }));
        }
    }
}
