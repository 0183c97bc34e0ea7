//! Whether an event comes from the provider: signatures as Stripe's webhooks have them.
//!
//! `t=SECONDS,v1=HEX`, where HEX is the HMAC-SHA256 of `SECONDS.BODY` by a secret that both
//! know (docs.stripe.com/webhooks, "Verify webhook signatures manually"). While a secret is
//! changed there is one `v1` for each; schemes of other names are none of ours.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stoa_sdk::Timestamp;

/// How far the time of a signature may be from when it came, in seconds: as Stripe's
/// libraries have it. Who heard an event once can't send it again later.
const TOLERANCE: u64 = 300;

/// Why an event is not believed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The signature can't be read.
    Malformed,
    /// It was made this many seconds before or after it came.
    NotNow(u64),
    /// It is not of this body by this secret.
    Wrong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => {
                f.write_str("expected a signature such as t=1800000000,v1=HEX, found another text")
            }
            Self::NotNow(seconds) => write!(
                f,
                "expected a signature within {TOLERANCE} s of when it came, found one {seconds} s away"
            ),
            Self::Wrong => {
                f.write_str("the signature is not of this body and the service's secret")
            }
        }
    }
}

/// Checks the signature of a body that came at `came`.
pub(crate) fn verify(
    signature: &str,
    body: &[u8],
    secret: &str,
    came: Timestamp,
) -> Result<(), Fault> {
    let (time, codes) = parse(signature).ok_or(Fault::Malformed)?;
    let seconds: i64 = time.parse().map_err(|_| Fault::Malformed)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .expect("a key of HMAC may have any length");
    for part in [time.as_bytes(), b".", body] {
        mac.update(part);
    }
    // In the same time wherever they differ.
    let is_right = |code: &Vec<u8>| mac.clone().verify_slice(code).is_ok();
    if !codes.iter().any(is_right) {
        return Err(Fault::Wrong);
    }
    match came.millis().div_euclid(1000).abs_diff(seconds) {
        0..=TOLERANCE => Ok(()),
        away => Err(Fault::NotNow(away)),
    }
}

/// The time as it is written, and all codes of our scheme.
fn parse(signature: &str) -> Option<(&str, Vec<Vec<u8>>)> {
    let (mut time, mut codes) = (None, Vec::new());
    for part in signature.split(',') {
        match part.trim().split_once('=')? {
            ("t", text) if time.is_none() => time = Some(text),
            // What was signed would be a matter of taste.
            ("t", _) => return None,
            ("v1", text) => codes.push(hex::decode(text).ok()?),
            _ => {}
        }
    }
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let time = time.filter(digits)?;
    (!codes.is_empty()).then_some((time, codes))
}

#[cfg(test)]
pub(crate) fn sign(body: &[u8], secret: &str, seconds: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let code = hex::encode(mac.finalize().into_bytes());
    format!("t={seconds},v1={code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"{\"id\":\"evt_1\"}";
    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_999);
    const SECONDS: i64 = 1_800_000_000;

    fn verify_now(signature: &str) -> Result<(), Fault> {
        verify(signature, BODY, "whsec", NOW)
    }

    #[test]
    fn a_known_answer() {
        // printf '1800000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec
        let code = "c43aa959bd1ae793e1f2d96b9eac10ea89f5b4d6aebdcb5b573112005d512bca";
        assert_eq!(
            sign(BODY, "whsec", SECONDS),
            format!("t={SECONDS},v1={code}")
        );
        assert_eq!(verify_now(&format!("t={SECONDS},v1={code}")), Ok(()));
    }

    #[test]
    fn one_right_signature_of_several_is_enough() {
        let right = sign(BODY, "whsec", SECONDS);
        let wrong = "0".repeat(64);
        assert_eq!(verify_now(&format!("{right},v1={wrong},v0=x")), Ok(()));
        let (time, code) = right.split_once(',').unwrap();
        assert_eq!(verify_now(&format!("v1={wrong}, {code}, {time}")), Ok(()));
        assert_eq!(verify_now(&format!("{time},v1={wrong}")), Err(Fault::Wrong));
        assert_eq!(verify_now(&format!("{time},v1=00")), Err(Fault::Wrong));
    }

    #[test]
    fn it_is_of_one_body_one_time_and_one_secret() {
        let right = sign(BODY, "whsec", SECONDS);
        assert_eq!(verify(&right, b"{}", "whsec", NOW), Err(Fault::Wrong));
        assert_eq!(verify(&right, BODY, "other", NOW), Err(Fault::Wrong));
        let later = right.replace("t=1800000000", "t=1800000001");
        assert_eq!(verify_now(&later), Err(Fault::Wrong));
    }

    #[test]
    fn it_is_good_for_five_minutes() {
        for (away, fine) in [(-300, true), (300, true), (-301, false), (301, false)] {
            let signature = sign(BODY, "whsec", SECONDS + away);
            assert_eq!(verify_now(&signature).is_ok(), fine, "{away}");
        }
        let old = sign(BODY, "whsec", 0);
        assert_eq!(verify_now(&old), Err(Fault::NotNow(1_800_000_000)));
    }

    #[test]
    fn what_is_no_signature_is_told() {
        let right = sign(BODY, "whsec", SECONDS);
        for bad in [
            "",
            "t=1",
            "v1=00",
            "t=,v1=00",
            "t=-1,v1=00",
            "t=1,v1=0g",
            "t=99999999999999999999,v1=00",
            &format!("{right},t=1800000000"),
            &format!("{right},"),
        ] {
            assert_eq!(verify_now(bad), Err(Fault::Malformed), "{bad}");
        }
    }
}
