//! The rules of the host's structure, checked on its source: who may name what,
//! and which way the arrows go.

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up: a room uses only rooms before it, and the leaves.
const LAYERS: [&str; 10] = [
    "store",
    "capabilities",
    "engine",
    "service",
    "mesh",
    "gateway",
    "deploy",
    "admin",
    "host",
    "cli",
];

/// Leaves that every room may use. The settings of a revision are a shape that
/// the wire, the manifest and the rooms share.
const LEAVES: [&str; 6] = [
    "api",
    "config",
    "manifest",
    "shutdown",
    "telemetry",
    "settings",
];

struct Source {
    /// Below `host/src`, with slashes.
    path: String,
    lines: Vec<String>,
}

#[test]
fn the_runtime_is_named_only_by_the_engine_and_the_capabilities() {
    let allowed = ["engine", "capabilities"];
    let named = |line: &str| line.contains("wasmtime::") || line.contains("wasmtime_wasi");
    assert_none(offences(|source, line| {
        named(line) && !allowed.contains(&room(source))
    }));
}

#[test]
fn the_database_is_named_only_by_the_store() {
    assert_none(offences(|source, line| {
        line.contains("sled::")
            && !line.contains("self::sled")
            && !source.path.starts_with("store/sled")
    }));
}

#[test]
fn a_status_is_picked_in_one_place() {
    let allowed = [
        "gateway/respond",
        "admin/problem",
        "admin/handlers",
        "admin/keys",
        "admin/upstreams",
        "admin/eureka",
        "admin/tokens",
        "admin/client",
    ];
    let picked =
        |line: &str| line.contains("StatusCode::") && !line.trim_start().starts_with("use ");
    assert_none(offences(|source, line| {
        picked(line) && !allowed.iter().any(|place| source.path.starts_with(place))
    }));
}

#[test]
fn no_arrow_goes_back() {
    assert_none(offences(|source, line| {
        let Some(layer) = LAYERS.iter().position(|layer| *layer == room(source)) else {
            return false;
        };
        used_rooms(line).any(|used| {
            LAYERS
                .iter()
                .position(|layer| *layer == used)
                .is_some_and(|used| used > layer)
        })
    }));
}

#[test]
fn leaves_use_no_room() {
    assert_none(offences(|source, line| {
        let leaf = [
            "aside",
            "conditions",
            "config",
            "listener",
            "settings",
            "shutdown",
            "spelling",
            "telemetry",
            "turns",
            "api",
        ]
        .contains(&room(source));
        leaf && used_rooms(line).any(|used| LAYERS.contains(&used))
    }));
}

#[test]
fn nothing_in_the_host_prints_or_sleeps_a_thread() {
    // To open the store blocks, by its contract: it waits there for another store of
    // this process, of whose end nothing tells.
    let waits = |source: &Source| source.path == "store/sled/mod.rs";
    assert_none(offences(|source, line| {
        line.contains("println!(") || line.contains("thread::sleep") && !waits(source)
    }));
}

/// The rooms that a line uses by `crate::…`, without the leaves.
fn used_rooms(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").filter_map(move |(at, _)| {
        let path = &line[at + "crate::".len()..];
        if LEAVES.iter().any(|leaf| path.starts_with(leaf)) {
            return None;
        }
        path.split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .next()
    })
}

fn room(source: &Source) -> &str {
    source.path.split(['/', '.']).next().unwrap_or_default()
}

/// Every line of production code that breaks a rule.
fn offences(breaks: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let sources = sources();
    assert!(
        sources.len() > 50,
        "only {} source files were found",
        sources.len()
    );
    let mut found = Vec::new();
    for source in &sources {
        for (number, line) in source.lines.iter().enumerate() {
            if breaks(source, line) {
                found.push(format!(
                    "host/src/{}:{}: {}",
                    source.path,
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    found
}

fn assert_none(offences: Vec<String>) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// All of `host/src`, without tests and comments.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(&root).expect("it was found there");
            let text = fs::read_to_string(&file).expect("source is UTF-8");
            Source {
                path: path.to_string_lossy().replace('\\', "/"),
                lines: production(&text),
            }
        })
        .filter(|source| !source.path.contains("tests"))
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Where a line of source stands.
enum Place {
    Production,
    /// Before the body of a test item: its attributes, its signature.
    Head,
    Body,
}

/// The lines of a file; those of comments and of test items are blank.
fn production(text: &str) -> Vec<String> {
    let mut place = Place::Production;
    let mut kept = Vec::new();
    for line in text.lines() {
        if matches!(place, Place::Production) && line.starts_with("#[cfg(test)]") {
            place = Place::Head;
        }
        let keep = matches!(place, Place::Production) && !line.trim_start().starts_with("//");
        kept.push(if keep { line.to_owned() } else { String::new() });
        place = after(place, line);
    }
    kept
}

/// Where the next line stands. A test item ends at the first line that begins with `}`,
/// or before its body, if it has none.
fn after(place: Place, line: &str) -> Place {
    match place {
        Place::Head if line.starts_with(['#', '/']) => Place::Head,
        Place::Head if line.ends_with([';', '}']) => Place::Production,
        Place::Head if line.ends_with('{') => Place::Body,
        Place::Body if line.starts_with('}') => Place::Production,
        place => place,
    }
}

#[test]
fn code_below_a_test_item_is_production() {
    let text = "\
use a;
#[cfg(test)]
mod tests;
// Said of b.
use b;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = \"a test\"
)]
mod more {
    fn one() {
    }
}
#[cfg(test)]
impl One {}
fn c() {
}
#[cfg(test)]
use {
    d,
};
use e;";
    let kept = production(text);
    assert_eq!(kept.len(), text.lines().count());
    let kept: Vec<_> = (1..)
        .zip(&kept)
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| (number, line.as_str()))
        .collect();
    assert_eq!(
        kept,
        [
            (1, "use a;"),
            (5, "use b;"),
            (18, "fn c() {"),
            (19, "}"),
            (24, "use e;")
        ]
    );
}
