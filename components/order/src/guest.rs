//! Guests: customers that another service of the shop knows.

use stoa_sdk::Error;
use stoa_sdk::context::Caller;

/// What the names of guests begin with.
const PREFIX: &str = "guest:";
/// Digits of a guest's id: 128 bits.
const DIGITS: usize = 32;

/// The guest of this name, who may do nothing but what is its own. Who has a token is no
/// guest, so that a service that serves guests can't act for anybody else.
///
/// # Errors
/// Forbidden where the name is not that of a guest.
pub fn caller(customer: &str) -> Result<Caller, Error> {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let id = customer.strip_prefix(PREFIX);
    if !id.is_some_and(|id| id.len() == DIGITS && id.bytes().all(digit)) {
        return Err(Error::Forbidden(format!(
            "expected a guest, {PREFIX} and {DIGITS} hexadecimal digits, found {customer:?}"
        )));
    }
    Ok(Caller {
        subject: Some(customer.to_owned()),
        scopes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_nobody_else() {
        let name = format!("guest:{}", "0f".repeat(16));
        let guest = caller(&name).unwrap();
        assert_eq!(guest.subject, Some(name));
        assert!(guest.scopes.is_empty());
        let others = [
            "ann".to_owned(),
            "guest:".to_owned(),
            "0f".repeat(16),
            format!("guest:{}", "0f".repeat(15)),
            format!("guest:{}", "0F".repeat(16)),
            format!("guest:{}", "é".repeat(16)),
        ];
        for other in others {
            let refused = caller(&other);
            assert!(matches!(refused, Err(Error::Forbidden(_))), "{other:?}");
        }
    }
}
