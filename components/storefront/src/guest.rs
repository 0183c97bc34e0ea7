//! Who buys: a guest, known by a random cookie and nothing else.

use crate::Request;

/// The cookie with a guest's id.
pub(crate) const COOKIE: &str = "guest";

/// The id of the guest that sent a request: 32 hexadecimal digits.
pub(crate) fn id(request: &Request) -> Option<&str> {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let id = request.cookie(COOKIE)?;
    (id.len() == 32 && id.bytes().all(digit)).then_some(id)
}

/// The customer that the order service knows this guest as.
pub(crate) fn customer(id: &str) -> String {
    format!("guest:{id}")
}

/// 128 random bits, as 32 hexadecimal digits.
///
/// # Panics
/// When the host gives no random bytes, which `wasi:random` does not allow for.
pub(crate) fn random() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("wasi:random always gives bytes");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Headers;

    #[test]
    fn only_what_we_made_is_a_guest() {
        let read = |value: &str| {
            let pair = ("cookie".to_owned(), format!("guest={value}"));
            let request = Request {
                headers: Headers([pair].into()),
                ..Request::default()
            };
            id(&request).map(str::to_owned)
        };
        let made = random();
        assert_ne!(made, random());
        assert_eq!(read(&made), Some(made));
        for foreign in ["", "ann", &"g".repeat(32), &"a".repeat(33)] {
            assert_eq!(read(foreign), None, "{foreign:?}");
        }
    }
}
