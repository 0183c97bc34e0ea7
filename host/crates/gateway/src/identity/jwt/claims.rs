//! From a token's claims to a principal.

use serde_json::{Map, Value};

use stoa_call::Principal;

/// Claims that say who, what and when, and so are not passed on as further ones.
pub(super) const OWN: [&str; 7] = ["sub", "scope", "scp", "scopes", "exp", "nbf", "iat"];

/// The caller that the claims name; `None` without a subject.
pub(super) fn principal(claims: &Map<String, Value>) -> Option<Principal> {
    let subject = claims
        .get("sub")?
        .as_str()
        .filter(|name| !name.is_empty())?;
    let further = claims
        .iter()
        .filter(|(name, value)| !OWN.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (name.clone(), text(value)));
    Some(Principal {
        subject: subject.to_owned(),
        scopes: scopes(claims),
        claims: further.collect(),
    })
}

/// `scope` has spaces between (RFC 8693 section 4.2); `scp` and `scopes`, of other
/// issuers, are lists, or the same.
fn scopes(claims: &Map<String, Value>) -> Vec<String> {
    let mut scopes = Vec::new();
    for name in ["scope", "scp", "scopes"] {
        match claims.get(name) {
            Some(Value::String(text)) => {
                scopes.extend(text.split_ascii_whitespace().map(str::to_owned));
            }
            Some(Value::Array(list)) => {
                scopes.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            _ => {}
        }
    }
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

/// A text as it is, all else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(claims: Value) -> Option<Principal> {
        principal(claims.as_object().unwrap())
    }

    #[test]
    fn scopes_of_every_form() {
        for claims in [
            json!({ "sub": "a", "scope": "x  y" }),
            json!({ "sub": "a", "scp": ["x", "y", 1] }),
            json!({ "sub": "a", "scopes": ["y"], "scp": "x y" }),
        ] {
            assert_eq!(read(claims).unwrap().scopes, ["x", "y"]);
        }
        assert!(
            read(json!({ "sub": "a", "scope": 1 }))
                .unwrap()
                .scopes
                .is_empty()
        );
    }

    #[test]
    fn other_claims_are_texts() {
        let read = read(
            json!({ "sub": "a", "iss": "i", "exp": 1, "n": 7, "t": true, "l": ["x"], "no": null }),
        )
        .unwrap();
        let expected = [("iss", "i"), ("l", "[\"x\"]"), ("n", "7"), ("t", "true")];
        assert_eq!(
            read.claims,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn nobody_is_no_principal() {
        for claims in [json!({}), json!({ "sub": "" }), json!({ "sub": 7 })] {
            assert_eq!(read(claims), None);
        }
    }
}
