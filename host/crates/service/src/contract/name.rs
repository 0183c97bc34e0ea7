//! Names of interfaces, and which version may stand in for which.

use std::fmt;
use std::str::FromStr;

use semver::Version;

/// A versioned interface: `shop:product/products@0.1.0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName {
    /// Namespace and package: `shop:product`.
    pub package: String,
    /// The interface in the package: `products`.
    pub interface: String,
    /// The package's version, where it has one.
    pub version: Option<Version>,
}

impl InterfaceName {
    /// Whether an import of this name may be met by an export named `provided`:
    /// the same interface on the same [track](Self::track). Whether the types
    /// agree is another question, see [`provides`](super::compat::provides).
    pub fn compatible_with(&self, provided: &Self) -> bool {
        self.package == provided.package
            && self.interface == provided.interface
            && match (&self.version, &provided.version) {
                (Some(wanted), Some(found)) => track(wanted) == track(found),
                (None, None) => true,
                _ => false,
            }
    }

    /// What compatible versions have in common, for use as a key:
    /// `shop:product/products@0.1` for every `0.1.x`.
    pub fn track(&self) -> String {
        match &self.version {
            Some(version) => format!("{}@{}", self.unversioned(), track(version)),
            None => self.unversioned(),
        }
    }

    /// The name that manifests and routes use: `shop:product/products`.
    pub fn unversioned(&self) -> String {
        format!("{}/{}", self.package, self.interface)
    }

    /// Whether this is interface `interface` of package `package`, at any version.
    pub fn is(&self, package: &str, interface: &str) -> bool {
        self.package == package && self.interface == interface
    }
}

/// The part of a version that compatible ones share, by the component model's
/// rule: the major, below 1.0 the minor, below 0.1 and for pre-releases all of it.
fn track(version: &Version) -> String {
    let Version {
        major,
        minor,
        patch,
        pre,
        ..
    } = version;
    match (major, minor) {
        _ if !pre.is_empty() => format!("{major}.{minor}.{patch}-{pre}"),
        (0, 0) => format!("0.0.{patch}"),
        (0, _) => format!("0.{minor}"),
        _ => major.to_string(),
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.package, self.interface)?;
        match &self.version {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}

impl FromStr for InterfaceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad =
            || format!("expected an interface such as shop:product/products@0.1.0, found {text:?}");
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (
                name,
                Some(Version::parse(version).map_err(|fault| format!("{}: {fault}", bad()))?),
            ),
            None => (text, None),
        };
        let (package, interface) = name.split_once('/').ok_or_else(bad)?;
        let (namespace, short) = package.split_once(':').ok_or_else(bad)?;
        if ![namespace, short, interface].into_iter().all(is_label) {
            return Err(bad());
        }
        Ok(Self {
            package: package.to_owned(),
            interface: interface.to_owned(),
            version,
        })
    }
}

/// Whether `text` can be a name in WIT, but for the finer rules of its words.
fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> InterfaceName {
        text.parse().unwrap()
    }

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "shop:product/products@0.1.0",
            "a:b/c",
            "wasi:keyvalue/store@0.2.0-draft2",
        ] {
            assert_eq!(name(text).to_string(), text);
        }
        for text in [
            "",
            "products",
            "shop/product",
            "shop:product",
            "shop:product/",
            ":a/b",
            "a:b/c@1",
            "a:b/c/d",
            "a:b/c d",
        ] {
            let fault = text.parse::<InterfaceName>().unwrap_err();
            assert!(
                fault.contains("expected an interface such as"),
                "{text}: {fault}"
            );
        }
    }

    #[test]
    fn follows_semver() {
        let pairs = [
            ("0.1.0", "0.1.7", true),
            ("0.1.0", "0.2.0", false),
            ("1.2.0", "1.9.3", true),
            ("1.2.0", "2.0.0", false),
            ("0.0.1", "0.0.1", true),
            ("0.0.1", "0.0.2", false),
            ("0.2.0-draft", "0.2.0-draft", true),
            ("0.2.0-draft", "0.2.0-draft2", false),
            ("0.2.0-draft", "0.2.0", false),
            ("1.0.0+a", "1.0.0+b", true),
        ];
        for (wanted, found, expected) in pairs {
            let (wanted, found) = (
                name(&format!("a:b/c@{wanted}")),
                name(&format!("a:b/c@{found}")),
            );
            assert_eq!(wanted.compatible_with(&found), expected, "{wanted} {found}");
            assert_eq!(
                wanted.track() == found.track(),
                expected,
                "{wanted} {found}"
            );
        }
        assert!(name("a:b/c").compatible_with(&name("a:b/c")));
        assert!(!name("a:b/c").compatible_with(&name("a:b/c@1.0.0")));
        assert!(!name("a:b/c").compatible_with(&name("a:b/d")));
        assert_eq!(
            name("shop:product/products@0.1.4").track(),
            "shop:product/products@0.1"
        );
    }
}
