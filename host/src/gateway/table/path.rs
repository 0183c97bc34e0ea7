//! A path template, with its parameters named by position: two templates that
//! differ only in names take the same requests.

use super::MAX_PARAMETERS;

/// The segments of a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pattern {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Parameter,
    Wildcard,
}

impl Pattern {
    /// Parses `/products/{id}` or `/files/*`.
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        let Some(rest) = path.strip_prefix('/') else {
            return Err(format!("the path {path:?} does not start with \"/\""));
        };
        let segments: Vec<Segment> = rest.split('/').map(segment).collect();
        let parameters = segments
            .iter()
            .filter(|segment| !matches!(segment, Segment::Literal(_)))
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
        Ok(Self { segments })
    }

    /// In the router's syntax, in which a brace of a literal is doubled.
    pub(super) fn template(&self) -> String {
        let mut template = String::new();
        for (position, segment) in self.segments.iter().enumerate() {
            template.push('/');
            match segment {
                Segment::Literal(text) => {
                    template.push_str(&text.replace('{', "{{").replace('}', "}}"))
                }
                Segment::Parameter => template.push_str(&format!("{{p{position}}}")),
                Segment::Wildcard => template.push_str("{*rest}"),
            }
        }
        template
    }

    /// What a trailing wildcard takes beside what is below it: `/files` and `/files/`.
    pub(super) fn wildcard_prefixes(&self) -> Vec<String> {
        let Some((Segment::Wildcard, before)) = self.segments.split_last() else {
            return Vec::new();
        };
        let prefix = Self {
            segments: before.to_vec(),
        };
        let mut prefixes = vec![format!("{}/", prefix.template())];
        if !before.is_empty() {
            prefixes.push(prefix.template());
        }
        prefixes
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_that_differ_in_names_only_are_the_same() {
        assert_eq!(Pattern::parse("/a/{x}/b"), Pattern::parse("/a/{y}/b"));
        assert_ne!(Pattern::parse("/a/{x}/b"), Pattern::parse("/a/x/b"));
    }

    #[test]
    fn a_wildcard_takes_its_own_prefix() {
        let files = Pattern::parse("/files/*").unwrap();
        assert_eq!(files.template(), "/files/{*rest}");
        assert_eq!(files.wildcard_prefixes(), ["/files/", "/files"]);
        assert_eq!(Pattern::parse("/*").unwrap().wildcard_prefixes(), ["/"]);
    }

    #[test]
    fn bad_paths_are_refused() {
        assert!(Pattern::parse("a").is_err());
        assert!(Pattern::parse("/a/*/b").is_err());
        assert!(Pattern::parse("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}").is_err());
    }
}
