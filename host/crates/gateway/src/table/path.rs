//! A tree of path templates, searched segment by segment.
//!
//! Where a more specific branch leads nowhere the search goes back and tries the
//! next one, so `/a/{x}` and `/a/*` can stand side by side. Each node is visited at
//! most once for a path.

use std::collections::HashMap;

use super::Parameters;
use stoa_settings::{MAX_PARAMETERS, MAX_SEGMENTS};

/// The segments of a template. Names of parameters are left out: two templates
/// that differ only in them take the same requests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Parameter,
    Wildcard,
}

impl Pattern {
    /// Parses `/products/{id}` or `/files/*`.
    pub fn parse(path: &str) -> Result<Self, String> {
        let Some(rest) = path.strip_prefix('/') else {
            return Err(format!("the path {path:?} does not start with \"/\""));
        };
        let segments: Vec<Segment> = rest.split('/').map(segment).collect();
        if segments.len() > MAX_SEGMENTS {
            return Err(format!(
                "a path has {} segments, at most {MAX_SEGMENTS} are possible",
                segments.len()
            ));
        }
        let parameters = segments
            .iter()
            .filter(|segment| **segment == Segment::Parameter)
            .count();
        if parameters > MAX_PARAMETERS {
            return Err(format!(
                "the path {path:?} has {parameters} parameters, at most {MAX_PARAMETERS} are possible"
            ));
        }
        if segments
            .iter()
            .rev()
            .skip(1)
            .any(|segment| *segment == Segment::Wildcard)
        {
            return Err(format!(
                "the path {path:?} has a \"*\" that is not its last segment"
            ));
        }
        Ok(Self(segments))
    }
}

fn segment(text: &str) -> Segment {
    match text {
        "*" => Segment::Wildcard,
        text if text.len() > 2 && text.starts_with('{') && text.ends_with('}') => {
            Segment::Parameter
        }
        text => Segment::Literal(text.to_owned()),
    }
}

/// A node of the tree: what is behind one segment.
pub struct Tree<T> {
    value: Option<T>,
    literals: HashMap<String, Tree<T>>,
    parameter: Option<Box<Tree<T>>>,
    /// Takes this path and all below it.
    wildcard: Option<T>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self {
            value: None,
            literals: HashMap::new(),
            parameter: None,
            wildcard: None,
        }
    }
}

impl<T> Tree<T> {
    /// Puts `value` at `pattern`, unless something is there.
    pub fn insert(&mut self, pattern: &Pattern, value: T) {
        let mut node = self;
        for segment in &pattern.0 {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Parameter => node.parameter.get_or_insert_default(),
                Segment::Wildcard => {
                    node.wildcard.get_or_insert(value);
                    return;
                }
            };
        }
        node.value.get_or_insert(value);
    }

    /// The most specific value for a path, and the path's parameters.
    pub fn find<'p>(&self, path: &'p str) -> Option<(&T, Parameters<'p>)> {
        let mut parameters = Parameters::default();
        let value = self.search(path.strip_prefix('/'), &mut parameters)?;
        Some((value, parameters))
    }

    /// What is behind this very segment, or else behind any.
    pub(super) fn child(&self, segment: &str) -> Option<&Self> {
        let any = self.parameter().filter(|_| !segment.is_empty());
        self.literals.get(segment).or(any)
    }

    /// What is behind any segment.
    pub(super) fn parameter(&self) -> Option<&Self> {
        self.parameter.as_deref()
    }

    /// The segments that are known here, and what is behind each.
    pub(super) fn literals(&self) -> impl ExactSizeIterator<Item = (&str, &Self)> {
        let literals = self.literals.iter();
        literals.map(|(literal, behind)| (literal.as_str(), behind))
    }

    /// What takes a path that ends here.
    pub(super) fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// What takes a path that goes on so.
    pub(super) fn taker(&self, rest: Option<&str>) -> Option<&T> {
        self.search(rest, &mut Parameters::default())
    }

    fn search<'p>(&self, rest: Option<&'p str>, parameters: &mut Parameters<'p>) -> Option<&T> {
        let Some(rest) = rest else {
            return self.value.as_ref().or(self.wildcard.as_ref());
        };
        let (segment, rest) = match rest.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        if let Some(literal) = self.literals.get(segment)
            && let Some(found) = literal.search(rest, parameters)
        {
            return Some(found);
        }
        if let Some(parameter) = &self.parameter
            && !segment.is_empty()
        {
            parameters.push(segment);
            if let Some(found) = parameter.search(rest, parameters) {
                return Some(found);
            }
            parameters.pop();
        }
        self.wildcard.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&'static str]) -> Tree<&'static str> {
        let mut tree = Tree::default();
        for path in paths {
            tree.insert(&Pattern::parse(path).unwrap(), *path);
        }
        tree
    }

    fn find(tree: &Tree<&'static str>, path: &str) -> Option<(&'static str, Vec<String>)> {
        let (found, parameters) = tree.find(path)?;
        Some((
            *found,
            parameters
                .as_slice()
                .iter()
                .map(ToString::to_string)
                .collect(),
        ))
    }

    fn found(path: &'static str, parameters: &[&str]) -> Option<(&'static str, Vec<String>)> {
        Some((path, parameters.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn templates_that_differ_in_names_only_are_the_same() {
        assert_eq!(Pattern::parse("/a/{x}/b"), Pattern::parse("/a/{y}/b"));
        assert_ne!(Pattern::parse("/a/{x}/b"), Pattern::parse("/a/x/b"));
    }

    #[test]
    fn the_most_specific_wins_and_dead_ends_are_left() {
        let tree = tree(&["/a/ping", "/a/{x}", "/a/{x}/c", "/a/*", "/a/ping/deep/er"]);
        assert_eq!(find(&tree, "/a/ping"), found("/a/ping", &[]));
        assert_eq!(find(&tree, "/a/b"), found("/a/{x}", &["b"]));
        assert_eq!(find(&tree, "/a/ping/c"), found("/a/{x}/c", &["ping"]));
        assert_eq!(find(&tree, "/a/b/d"), found("/a/*", &[]));
        assert_eq!(find(&tree, "/a/ping/deep"), found("/a/*", &[]));
        assert_eq!(find(&tree, "/b"), None);
    }

    #[test]
    fn segments_are_matched_whole_and_a_wildcard_takes_its_own_prefix() {
        let tree = tree(&["/files/*", "/products"]);
        for path in ["/files", "/files/", "/files/a", "/files/a/b"] {
            assert_eq!(find(&tree, path), found("/files/*", &[]), "{path}");
        }
        for path in [
            "/filesystem",
            "/file",
            "/products-for-sale",
            "/products/",
            "/",
            "",
        ] {
            assert_eq!(find(&tree, path), None, "{path}");
        }
    }

    #[test]
    fn a_parameter_is_never_empty() {
        let tree = tree(&["/a/{x}/{y}"]);
        assert_eq!(find(&tree, "/a/1/2"), found("/a/{x}/{y}", &["1", "2"]));
        assert_eq!(find(&tree, "/a//2"), None);
        assert_eq!(find(&tree, "/a/1/"), None);
    }

    /// The search is as deep as the deepest template, however long a request's path is.
    #[test]
    fn depth_has_an_end() {
        assert!(Pattern::parse(&"/a".repeat(MAX_SEGMENTS)).is_ok());
        let fault = Pattern::parse(&"/a".repeat(100_000)).unwrap_err();
        assert!(fault.contains("100000 segments"), "{fault}");
        let tree = tree(&["/a/*"]);
        assert_eq!(find(&tree, &"/a".repeat(100_000)), found("/a/*", &[]));
    }

    #[test]
    fn bad_paths_are_refused() {
        assert!(Pattern::parse("a").is_err());
        assert!(Pattern::parse("/a/*/b").is_err());
        assert!(Pattern::parse("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}").is_err());
    }
}
