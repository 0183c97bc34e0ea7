//! What the interfaces that the host has hold, for messages: what a component may
//! import in place of what is not there.
//!
//! Whether an import is met is the linker's to say. The list is read from the WIT of
//! the releases that the engine implements, and a test holds it against the linker.

use stoa_settings::config::faults::nearest;

/// An interface a line, with its version; behind it its functions and resources.
pub const LIST: &str = include_str!("standard.txt");

/// Items that a message names.
const MOST_NAMED: usize = 10;

/// An interface of the list.
struct Entry<'a> {
    name: &'a str,
    version: &'a str,
    items: Vec<&'a str>,
}

/// Each of `items` of an imported interface that the host has not, with what there is
/// instead; the interface itself, where the host has others of its package. Nothing
/// where the host has nothing of the package.
pub fn lacking<'a>(interface: &str, items: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let (name, version) = split(interface);
    let package = name.split('/').next().unwrap_or(name);
    let compatible: Vec<_> = entries()
        .filter(|entry| entry.package() == package && is_compatible(version, entry.version))
        .collect();
    let Some(there) = compatible.iter().find(|entry| entry.name == name) else {
        let names: Vec<_> = compatible.iter().map(|entry| entry.name).collect();
        let instead = told(name, &names);
        let lacks = !names.is_empty();
        return Vec::from_iter(lacks.then(|| {
            format!(
                "it imports {interface}, which this host has not: of {package}@{} it has {instead}; import one of \
                 these, or leave it out",
                compatible[0].version
            )
        }));
    };
    let missing = items.into_iter().filter(|item| !there.items.contains(item));
    let told = missing.map(|item| {
        format!(
            "it imports {item} of {interface}, which this host has not: of {} it has {}; build it with this WIT, or \
             without the import",
            there.full_name(),
            told(item, &there.items)
        )
    });
    told.collect()
}

fn entries() -> impl Iterator<Item = Entry<'static>> {
    LIST.lines().map(|line| {
        let mut words = line.split(' ');
        let (name, version) = split(words.next().unwrap_or_default());
        Entry {
            name,
            version,
            items: words.collect(),
        }
    })
}

fn split(interface: &str) -> (&str, &str) {
    interface.split_once('@').unwrap_or((interface, ""))
}

/// Releases by their track, drafts exactly.
fn is_compatible(wanted: &str, there: &str) -> bool {
    let track = |version: &str| {
        let release = !version.is_empty() && !version.contains('-');
        let track = version.rsplit_once('.').filter(|_| release);
        track.map(|(track, _)| track.to_owned())
    };
    wanted == there || track(wanted).is_some_and(|wanted| Some(wanted) == track(there))
}

/// Names, and which of them was meant, if it is near to one.
fn told(wanted: &str, names: &[&str]) -> String {
    let shown = names.iter().take(MOST_NAMED).copied();
    let mut told = shown.collect::<Vec<_>>().join(", ");
    if let more @ 1.. = names.len().saturating_sub(MOST_NAMED) {
        told = format!("{told} and {more} more");
    }
    match nearest(wanted, names.iter().copied()) {
        Some(name) => format!("{told} (did you mean {name}?)"),
        None => told,
    }
}

// === impl Entry ===

impl Entry<'_> {
    fn package(&self) -> &str {
        self.name.split('/').next().unwrap_or(self.name)
    }

    fn full_name(&self) -> String {
        match self.version {
            "" => self.name.to_owned(),
            version => format!("{}@{version}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::lacking;

    #[test]
    fn what_is_missing_is_told_with_what_there_is() {
        for (interface, items, expected) in [
            (
                "wasi:clocks/wall-clock@0.2.3",
                &["now", "nowish"][..],
                &[
                    "nowish of wasi:clocks/wall-clock@0.2.3, which this host has not: of wasi:clocks/wall-clock@0.2.12 it \
                   has now, resolution (did you mean now?)",
                ][..],
            ),
            (
                "wasi:random/dice@0.2.0",
                &["roll"],
                &[
                    "imports wasi:random/dice@0.2.0, which this host has not: of wasi:random@0.2.12 it has",
                ],
            ),
            (
                "wasi:keyvalue/store@0.2.0-draft2",
                &["open", "close", "shut"],
                &["imports close of", "imports shut of"],
            ),
            ("wasi:logging/logging", &["log"], &[]),
            (
                "wasi:http/types@0.3.1",
                &["fields", "[constructor]fields"],
                &[],
            ),
            ("shop:product/products@0.1.0", &["get"], &[]),
        ] {
            let told = lacking(interface, items.iter().copied());
            assert_eq!(told.len(), expected.len(), "{interface}: {told:?}");
            for (told, expected) in told.iter().zip(expected) {
                assert!(told.contains(expected), "{told}");
            }
        }
        let many = lacking("wasi:http/types@0.2.0", ["[method]fields.gett"]).join("");
        assert!(
            many.contains("more (did you mean [method]fields.get?)"),
            "{many}"
        );
    }
}
