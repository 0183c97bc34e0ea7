//! The route that was meant by a path that none takes: by one segment that is
//! misspelt, one that is missing at the end, or a slash too many there.
//!
//! Anybody can ask for what is not there, as often as they like: a look costs the
//! same however many routes there are, and shows none of another host.

use http::Method;

use super::path::Tree;
use super::{Paths, Table};

/// Segments that a path is compared with, in all.
const COMPARED: usize = 128;
/// Bytes of a segment beyond which it is nobody's typo; the time to compare two grows
/// with both.
const LONGEST: usize = 32;
/// Letters that a typo is off by.
const FARTHEST: usize = 2;

impl Table {
    /// The key of the route that a request may have meant.
    pub(crate) fn nearest(
        &self,
        host: Option<&str>,
        method: &Method,
        path: &str,
    ) -> Option<String> {
        let own = host.and_then(|host| self.hosts.get(&host.to_ascii_lowercase()));
        let mut left = COMPARED;
        own.into_iter()
            .chain([&self.any_host])
            .find_map(|paths| paths.nearest(method, path, &mut left))
    }
}

impl Paths {
    /// Of the request's own method first.
    fn nearest(&self, method: &Method, path: &str, left: &mut usize) -> Option<String> {
        let own = self
            .methods
            .get(method)
            .into_iter()
            .chain([&self.any_method]);
        let others = self.methods.iter().filter(|(other, _)| *other != method);
        let mut others: Vec<_> = others.collect();
        others.sort_by_key(|(method, _)| method.as_str());
        let trees = own.chain(others.into_iter().map(|(_, tree)| tree));
        let found = trees.flat_map(|tree| tree.nearest(path, left)).next()?;
        Some(found.first()?.1.value().route().key())
    }
}

impl<T> Tree<T> {
    /// The value that a path leads to once one segment of it is mended.
    pub(super) fn nearest(&self, path: &str, left: &mut usize) -> Option<&T> {
        self.mended(path.strip_prefix('/')?, left)
    }

    /// The further back what is wrong, the more was right: that goes first.
    fn mended(&self, rest: &str, left: &mut usize) -> Option<&T> {
        let (segment, after) = match rest.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (rest, None),
        };
        if segment.is_empty() && after.is_none() {
            return self.value();
        }
        let below = match (self.child(segment), after) {
            (Some(child), Some(after)) => child.mended(after, left),
            (Some(child), None) => child.parameter().and_then(Self::value),
            (None, _) => None,
        };
        below.or_else(|| self.misspelt(segment, after, left))
    }

    fn misspelt(&self, segment: &str, after: Option<&str>, left: &mut usize) -> Option<&T> {
        if segment.len() > LONGEST || self.literals().len() > *left {
            return None;
        }
        *left -= self.literals().len();
        let near = self.literals().filter_map(|(literal, child)| {
            let distance = distance(segment, literal)?;
            Some((distance, literal, child.taker(after)?))
        });
        let nearest = near.min_by_key(|(distance, literal, _)| (*distance, *literal));
        nearest.map(|(.., value)| value)
    }
}

/// How far two segments are apart, if one may be a typo of the other.
fn distance(found: &str, known: &str) -> Option<usize> {
    if found.eq_ignore_ascii_case(known) {
        return Some(0);
    }
    if known.len() > LONGEST || found.len().abs_diff(known.len()) > FARTHEST {
        return None;
    }
    let distance = strsim::osa_distance(found, known);
    (distance <= FARTHEST && distance < known.len()).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::super::path::Pattern;
    use super::*;

    fn tree(paths: &[&str]) -> Tree<String> {
        let mut tree = Tree::default();
        for path in paths {
            tree.insert(&Pattern::parse(path).unwrap(), (*path).to_owned());
        }
        tree
    }

    #[test]
    fn one_wrong_segment_leads_to_the_route_that_was_meant() {
        let tree = tree(&[
            "/products",
            "/products/{id}",
            "/orders/{id}/cancel",
            "/catalog/{region}/search",
            "/catalog/{region}/products",
            "/carts/{id}",
            "/{shop}/items",
        ]);
        let nearest = |path| {
            tree.nearest(path, &mut COMPARED.clone())
                .map(String::as_str)
        };
        for (path, expected) in [
            ("/product", Some("/products")),
            ("/Products", Some("/products")),
            ("/prodcuts/7", Some("/products/{id}")),
            ("/orders/7/cancle", Some("/orders/{id}/cancel")),
            ("/catalog/eu/product", Some("/catalog/{region}/products")),
            ("/catalog/eu/serch", Some("/catalog/{region}/search")),
            ("/products/", Some("/products")),
            ("/carts", Some("/carts/{id}")),
            ("/ann/items/", Some("/{shop}/items")),
            ("/order/7/cancel", Some("/orders/{id}/cancel")),
            ("/ann/item", Some("/{shop}/items")),
            // Two are wrong, or none is near.
            ("/order/7/cancle", None),
            ("/orders/7/refund", None),
            ("/zzz", None),
            ("/", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(nearest(path), expected, "{path}");
        }
        assert_eq!(nearest(&format!("/{}", "products".repeat(9))), None);
    }

    #[test]
    fn many_siblings_are_not_looked_through() {
        let many: Vec<_> = (0..COMPARED).map(|at| format!("/service-{at}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let mut left = COMPARED;
        assert!(tree(&many).nearest("/sevice-1", &mut left).is_some());
        assert_eq!(left, 0);
        assert!(tree(&many[..1]).nearest("/sevice-0", &mut left).is_none());
    }
}
