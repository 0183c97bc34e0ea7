//! Paths that two readers could take for different ones.
//!
//! A route protects the path that it names. A server behind it may decode `%61`,
//! resolve `..` and merge slashes, and so find another path in the same bytes: one
//! that another route protects better. Such a request is for no route to decide.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

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

    use super::laxest;

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
