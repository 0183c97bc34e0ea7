//! Paths that two readers could take for different ones.
//!
//! A route protects the path that it names. A server behind it may decode `%61`,
//! resolve `..` and merge slashes, and so find another path in the same bytes: one
//! that another route protects better. Such a request is for no route to decide.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Whether a path is one that RFC 3986 lets a request have, in one reading only.
///
/// # Errors
/// A `%` that begins no escape (section 2.1), or a `.` or `..` for a segment, plain or
/// encoded, which its sender takes out (sections 5.2.4 and 6.2.2).
pub fn check(path: &str) -> Result<(), &'static str> {
    if !is_encoded(path) {
        return Err(
            "the path has a `%` that two hexadecimal digits don't follow: write %25 for the sign itself",
        );
    }
    if path
        .bytes()
        .any(|byte| !byte.is_ascii() || STRANGE.contains(&byte))
    {
        return Err(
            "the path has a character that none can have (RFC 3986), such as a quote, a backslash, a brace or one \
             that is not of ASCII: write it percent-encoded",
        );
    }
    if path.split('/').any(is_dots) {
        return Err("the path has a segment `.` or `..`: send the path that it leads to");
    }
    Ok(())
}

/// What clients send all the same, and HTTP's own parser lets pass.
const STRANGE: &[u8] = b"\"\\{}|^`";

/// Whether a query has only what one can have, beside what browsers send as it is
/// typed (URL standard, query percent-encode set).
///
/// # Errors
/// What is wrong with it.
pub fn check_query(query: &str) -> Result<(), &'static str> {
    if query.is_ascii() && !query.contains('"') {
        return Ok(());
    }
    Err("the query has a quote or a character that is not of ASCII: write it percent-encoded")
}

/// The spelling that equal paths have in common, RFC 3986 section 6.2.2: what need not be
/// encoded is not, and hexadecimal digits are upper-case.
pub fn normal(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, from)) = rest.find('%').map(|at| rest.split_at(at)) {
        normal.push_str(before);
        let length = match escaped(from) {
            Some(byte) if is_unreserved(byte) => {
                normal.push(char::from(byte));
                3
            }
            Some(_) => {
                normal.push_str(&from[..3].to_ascii_uppercase());
                3
            }
            None => {
                normal.push('%');
                1
            }
        };
        rest = &from[length..];
    }
    normal.push_str(rest);
    Cow::Owned(normal)
}

/// The byte that a text's first three letters stand for.
fn escaped(text: &str) -> Option<u8> {
    let digits = text.get(1..3)?;
    let both = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| both)
}

/// Section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Whether each `%` of a text begins an escape.
pub fn is_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().first_chunk::<2>();
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Whether a segment is `.` or `..`, in any of their spellings.
fn is_dots(segment: &str) -> bool {
    let mut rest = segment;
    let mut dots = 0;
    while !rest.is_empty() && dots < 3 {
        let encoded = rest
            .get(..3)
            .filter(|three| three.eq_ignore_ascii_case("%2e"));
        let Some(after) = rest.strip_prefix('.').or(encoded.map(|_| &rest[3..])) else {
            return false;
        };
        rest = after;
        dots += 1;
    }
    matches!(dots, 1 | 2)
}

/// The path as the laxest reader has it: decoded once, backslashes as slashes,
/// without empty segments, `.` and `..`. Most paths are spelled so already.
pub fn laxest(path: &str) -> Cow<'_, str> {
    let plain = |at: usize, byte: u8| match byte {
        b'%' | b'\\' => false,
        b'/' => !matches!(path.as_bytes().get(at + 1), Some(b'/' | b'.')),
        _ => true,
    };
    if path.bytes().enumerate().all(|(at, byte)| plain(at, byte)) {
        return Cow::Borrowed(path);
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut lax = format!("/{}", segments.join("/"));
    if decoded.len() > 1 && decoded.ends_with(['/', '\\']) && lax.len() > 1 {
        lax.push('/');
    }
    Cow::Owned(lax)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{check, check_query, laxest, normal};

    #[test]
    fn a_path_is_read_in_one_way_or_not_at_all() {
        for fine in [
            "/",
            "*",
            "",
            "/a/b",
            "/a%2Fb",
            "/100%25",
            "/%ff",
            "/a/",
            "//",
            "/...",
            "/.a",
            "/a.",
            "/%2e%2e%2e",
            "/..a",
            "/%2e%2e%2fa",
            "/.well-known/x",
        ] {
            assert_eq!(check(fine), Ok(()), "{fine}");
        }
        for escape in ["/%zz", "/%", "/a%2", "/%2g", "/%25%", "/a%/b", "/%é"] {
            assert!(check(escape).unwrap_err().contains("%25"), "{escape}");
        }
        for dots in [
            "/.",
            "/..",
            "/a/../b",
            "/./a",
            "/%2e",
            "/%2E%2e/a",
            "/.%2e",
            "/a/%2e.",
            "/a/%2e/",
        ] {
            assert!(check(dots).unwrap_err().contains("segment"), "{dots}");
        }
    }

    #[test]
    fn other_spellings_lead_to_one_path() {
        for spelling in [
            "/shop/admin/x",
            "/shop/%61dmin/x",
            "/shop/a/../admin/x",
            "/shop/%2e%2e/shop/admin/x",
            "/shop//admin/x",
            "/shop/./admin/x",
            "/shop/admin%2Fx",
            "/shop\\admin\\x",
            "/shop/%5cadmin/x",
            "/../../shop/admin/x",
        ] {
            assert_eq!(laxest(spelling), "/shop/admin/x", "{spelling}");
        }
        assert_eq!(laxest("/a/b/"), "/a/b/");
        assert_eq!(laxest("/a//"), "/a/");
        assert_eq!(laxest("/"), "/");
        assert_eq!(laxest("//"), "/");
    }

    #[test]
    fn what_no_path_can_have_is_refused() {
        for strange in ["/\"", "/\\", "/{", "/}", "/|", "/^", "/`", "/caf\u{e9}"] {
            assert!(
                check(strange).unwrap_err().contains("character"),
                "{strange}"
            );
        }
        assert_eq!(check("/a:@!$&'()*+,;=-._~[]"), Ok(()));
        assert_eq!(check_query("a=[1]|{b}"), Ok(()));
        assert!(check_query("\u{e9}").is_err());
    }

    #[test]
    fn equal_paths_have_one_spelling() {
        for (path, same) in [
            ("/products", "/products"),
            ("/%70roducts", "/products"),
            ("/caf%c3%a9/x", "/caf%C3%A9/x"),
            ("/%41dmin2", "/Admin2"),
            ("/a%2fb%7e", "/a%2Fb~"),
            ("/%2570", "/%2570"),
            ("/%zz%4", "/%zz%4"),
            ("/%\u{e9}", "/%\u{e9}"),
        ] {
            assert_eq!(normal(path), same, "{path}");
            assert_eq!(normal(&normal(path)), same, "once more");
        }
    }

    proptest! {
        #[test]
        fn no_trick_is_left_in_it(path in "/[a-z./%2\\\\ef]{0,24}") {
            let lax = laxest(&path).into_owned();
            prop_assert!(lax.starts_with('/'), "{lax}");
            prop_assert!(!lax.contains("//") && !lax.contains('\\'), "{lax}");
            prop_assert!(lax.split('/').all(|segment| segment != "." && segment != ".."), "{lax}");
        }
    }
}
