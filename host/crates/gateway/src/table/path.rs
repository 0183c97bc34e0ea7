//! A tree of path templates, searched segment by segment.
//!
//! Where a more specific branch leads nowhere the search goes back and tries the
//! next one, so `/a/{x}` and `/a/*` can stand side by side. Each node is visited at
//! most once for a path.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use super::Parameters;
use stoa_settings::spelling::{self, normal};
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
        text => Segment::Literal(normal(text).into_owned()),
    }
}

/// How a path is spelled.
#[derive(Clone, Copy)]
enum Spelling {
    /// As a client may send it.
    Sent,
    /// Decoded, by whoever reads it next.
    Decoded,
}

/// A node of the tree: what is behind one segment.
pub struct Tree<T> {
    value: Option<T>,
    /// By their [normal](spelling::normal) spelling.
    literals: HashMap<String, Tree<T>>,
    /// Decoded → normal spelling of literals, where there are two.
    decoded: HashMap<String, String>,
    parameter: Option<Box<Tree<T>>>,
    /// Takes this path and all below it.
    wildcard: Option<T>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self {
            value: None,
            literals: HashMap::new(),
            decoded: HashMap::new(),
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
                Segment::Literal(text) => node.literal_or_new(text),
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
        let value = self.search(path.strip_prefix('/'), Spelling::Sent, &mut parameters)?;
        Some((value, parameters))
    }

    /// The value for a path that somebody has decoded.
    pub(super) fn find_decoded(&self, path: &str) -> Option<&T> {
        let mut parameters = Parameters::default();
        self.search(path.strip_prefix('/'), Spelling::Decoded, &mut parameters)
    }

    /// What is behind this very segment, or else behind any.
    pub(super) fn child(&self, segment: &str) -> Option<&Self> {
        let any = self.parameter().filter(|_| !segment.is_empty());
        self.literal(segment, Spelling::Sent).or(any)
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
        self.search(rest, Spelling::Sent, &mut Parameters::default())
    }

    fn literal_or_new(&mut self, text: &str) -> &mut Self {
        if text.contains('%') {
            let decoded = percent_decode_str(text).decode_utf8_lossy();
            self.decoded.insert(decoded.into_owned(), text.to_owned());
        }
        self.literals.entry(text.to_owned()).or_default()
    }

    /// What is behind this very segment.
    fn literal(&self, segment: &str, spelling: Spelling) -> Option<&Self> {
        match spelling {
            Spelling::Sent => self.literals.get(&*spelling::normal(segment)),
            Spelling::Decoded => {
                // A sign is none that begins an escape here.
                let same = self.literals.get(segment);
                let same = same.filter(|_| !segment.contains('%'));
                same.or_else(|| self.literals.get(self.decoded.get(segment)?))
            }
        }
    }

    fn search<'p>(
        &self,
        rest: Option<&'p str>,
        spelling: Spelling,
        parameters: &mut Parameters<'p>,
    ) -> Option<&T> {
        let Some(rest) = rest else {
            return self.value.as_ref().or(self.wildcard.as_ref());
        };
        let (segment, rest) = match rest.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        if let Some(literal) = self.literal(segment, spelling)
            && let Some(found) = literal.search(rest, spelling, parameters)
        {
            return Some(found);
        }
        if let Some(parameter) = &self.parameter
            && !segment.is_empty()
        {
            parameters.push(segment);
            if let Some(found) = parameter.search(rest, spelling, parameters) {
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

    #[test]
    fn equal_spellings_find_the_same_and_parameters_stay_raw() {
        let tree = tree(&[
            "/products",
            "/caf%c3%a9/{x}",
            "/%41dmin/{x}",
            "/100%25/a%2Bb",
            "/*",
        ]);
        for path in ["/products", "/%70roducts", "/%70%72oducts"] {
            assert_eq!(find(&tree, path), found("/products", &[]), "{path}");
        }
        assert_eq!(
            find(&tree, "/caf%C3%a9/%61"),
            found("/caf%c3%a9/{x}", &["%61"])
        );
        assert_eq!(find(&tree, "/Admin/x"), found("/%41dmin/{x}", &["x"]));
        assert_eq!(
            find(&tree, "/%2541dmin/x"),
            found("/*", &[]),
            "decoded once"
        );
        let decoded = |path| tree.find_decoded(path).copied();
        assert_eq!(decoded("/caf\u{e9}/x"), Some("/caf%c3%a9/{x}"));
        assert_eq!(decoded("/Admin/x"), Some("/%41dmin/{x}"));
        assert_eq!(decoded("/%41dmin/x"), Some("/*"));
        assert_eq!(decoded("/100%/a+b"), Some("/100%25/a%2Bb"));
        assert_eq!(decoded("/100%25/a+b"), Some("/*"));
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
