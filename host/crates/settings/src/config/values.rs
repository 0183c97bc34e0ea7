//! Values as people write them: durations, sizes, addresses, numbers.
//!
//! Each parser says what it expected and what it found. Knows nothing of keys.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

/// A duration such as `250ms`, `10s` or `1m 30s`.
///
/// # Errors
/// What was expected and what was found.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("expected a duration such as \"250ms\" or \"10s\", found {text:?}"))
}

/// A duration that is not zero.
///
/// # Errors
/// What was expected and what was found.
pub fn positive(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err(format!("expected more than no time at all, found {text:?}")),
        time => Ok(time),
    }
}

/// A size in bytes: `65536`, `64KiB`, `1 MB`.
///
/// # Errors
/// What was expected and what was found.
pub fn size(text: &str) -> Result<u64, String> {
    let expected = || {
        format!(
            "expected a number of bytes, or a size such as \"64MiB\" or \"1MB\", found {text:?}"
        )
    };
    let plain = text.replace('_', "");
    let digits = plain
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(plain.len());
    let (number, unit) = plain.split_at(digits);
    let number: u64 = number.parse().map_err(|_| expected())?;
    let unit: u64 = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(expected()),
    };
    number.checked_mul(unit).ok_or_else(expected)
}

/// An address and a port: `127.0.0.1:8080`, `[::1]:0`.
///
/// # Errors
/// What was expected and what was found.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "expected ADDRESS:PORT such as 127.0.0.1:8080 (port 0 takes a free one), found {text:?}"
        )
    })
}

/// A scope, as RFC 6749 section 3.3 has it: it stands in lists with spaces between
/// and in quotes.
///
/// # Errors
/// What was expected and what was found.
pub fn scope(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if !text.is_empty() && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "expected a scope such as \"products:write\", without spaces, quotes and backslashes, found {text:?}"
    ))
}

/// A network or a single address: `10.0.0.0/8`, `::1`.
///
/// # Errors
/// What was expected and what was found.
pub fn network(text: &str) -> Result<IpNet, String> {
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| {
            format!("expected a network such as 10.0.0.0/8, or an address, found {text:?}")
        })
}

/// A whole number within bounds.
///
/// # Errors
/// What was expected and what was found.
pub fn number<N>(text: &str, bounds: RangeInclusive<N>) -> Result<N, String>
where
    N: FromStr + PartialOrd + Display,
{
    text.replace('_', "")
        .parse()
        .ok()
        .filter(|number| bounds.contains(number))
        .ok_or_else(|| {
            format!(
                "expected a whole number from {} to {}, found {text:?}",
                bounds.start(),
                bounds.end()
            )
        })
}

/// How many: what is too many is told where settings are checked.
///
/// # Errors
/// What was expected and what was found.
pub fn count(text: &str) -> Result<u32, String> {
    number(text, 0..=u32::MAX)
}

/// `true` or `false`.
///
/// # Errors
/// What was expected and what was found.
pub fn truth(text: &str) -> Result<bool, String> {
    word(text, &[("true", true), ("false", false)])
}

/// A number of requests in a time: `100/s`, `6_000/min`, `10/250ms`.
///
/// # Errors
/// What was expected and what was found.
pub fn rate(text: &str) -> Result<(NonZeroU32, Duration), String> {
    let bad = || format!("expected a rate such as \"100/s\" or \"10/30s\", found {text:?}");
    let (limit, per) = text.split_once('/').ok_or_else(bad)?;
    let per = per.trim();
    let unit = per.starts_with(|first: char| first.is_ascii_alphabetic());
    let per = if unit {
        format!("1{per}")
    } else {
        per.to_owned()
    };
    let limit = limit.trim().replace('_', "");
    Ok((
        limit.parse().map_err(|_| bad())?,
        positive(&per).map_err(|_| bad())?,
    ))
}

/// Texts with commas between.
pub fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// A list, each of its texts parsed.
///
/// # Errors
/// What was expected and what was found.
pub fn list_of<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    list(text).map(parse).collect()
}

/// Names and the words that belong to each: `a=one two, b=three`. The last `=` of
/// an entry divides it.
///
/// # Errors
/// What was expected and what was found.
pub fn words_by_name(text: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    let entries = list(text).map(|entry| {
        let (name, words) = entry
            .rsplit_once('=')
            .ok_or_else(|| format!("expected NAME=WORD WORD, found {entry:?}"))?;
        let words = words.split_whitespace().map(str::to_owned).collect();
        Ok((name.trim().to_owned(), words))
    });
    entries.collect()
}

/// One word out of a few.
///
/// # Errors
/// The words, and what was found.
pub fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        format!("expected {}, found {text:?}", words.join(" or "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("65_536", 65_536),
            ("64KiB", 64 << 10),
            ("64 MiB", 64 << 20),
            ("1MB", 1_000_000),
            ("4GiB", 4 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5MiB", "-1", "64mib", "99999999999999GiB"] {
            assert!(
                size(text)
                    .unwrap_err()
                    .ends_with(&format!("found {text:?}"))
            );
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(
            duration("10"),
            Err("expected a duration such as \"250ms\" or \"10s\", found \"10\"".into())
        );
        assert!(positive("0s").is_err());
    }

    #[test]
    fn rates() {
        let of = |text: &str| rate(text).map(|(limit, per)| (limit.get(), per));
        assert_eq!(of("100/s"), Ok((100, Duration::from_secs(1))));
        assert_eq!(of("6_000 / min"), Ok((6000, Duration::from_secs(60))));
        assert_eq!(of("10/250ms"), Ok((10, Duration::from_millis(250))));
        for text in ["", "100", "0/s", "-1/s", "100/", "100/0s", "100/1", "1.5/s"] {
            let fault = rate(text).unwrap_err();
            assert!(fault.ends_with(&format!("found {text:?}")), "{fault}");
        }
    }

    #[test]
    fn words_go_by_the_name_before_the_last_equals_sign() {
        let words = words_by_name("uri:a?b=c=x y, cn:n=").unwrap();
        assert_eq!(words["uri:a?b=c"], ["x", "y"]);
        assert!(words["cn:n"].is_empty());
        assert_eq!(
            words_by_name("a"),
            Err("expected NAME=WORD WORD, found \"a\"".into())
        );
    }

    #[test]
    fn numbers_within_bounds() {
        assert_eq!(number("10_000", 1..=u32::MAX), Ok(10_000));
        assert_eq!(
            number::<u32>("0", 1..=9),
            Err("expected a whole number from 1 to 9, found \"0\"".into())
        );
    }
}
