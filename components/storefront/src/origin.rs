//! Which forms are ours: another site must not send one in a customer's name.

use crate::Request;

/// Whether a request that changes something comes from our own pages, or from the customer
/// itself: as the browser says (`Sec-Fetch-Site`, Fetch Metadata), or, where it does not, by
/// its `Origin` (RFC 6454). A request that says neither is not taken for ours.
pub(crate) fn is_own(request: &Request) -> bool {
    if let Some(site) = request.headers.get("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let origin = request.headers.get("origin").unwrap_or_default();
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && host.eq_ignore_ascii_case(&request.authority))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Headers;

    #[test]
    fn forms_of_other_sites_are_not_ours() {
        let own = |headers: &[(&str, &str)]| {
            let pairs = headers
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            is_own(&Request {
                authority: "shop.example:8080".into(),
                headers: Headers(pairs.collect()),
                ..Request::default()
            })
        };
        assert!(own(&[("sec-fetch-site", "same-origin")]));
        assert!(own(&[("sec-fetch-site", "none")]));
        assert!(own(&[("origin", "http://shop.example:8080")]));
        assert!(own(&[("origin", "https://SHOP.example:8080")]));
        assert!(!own(&[]));
        assert!(!own(&[("origin", "null")]));
        assert!(!own(&[("origin", "https://")]));
        assert!(!own(&[("origin", "https://shop.example")]));
        assert!(!own(&[("origin", "https://evil.example")]));
        assert!(!own(&[("sec-fetch-site", "same-site")]));
        let both = [
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://shop.example:8080"),
        ];
        assert!(!own(&both), "the browser's word counts first");
    }
}
