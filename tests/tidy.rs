//! The rules of the host's structure, checked on its source: who may use what,
//! and which way the arrows go.

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up: a crate uses only those before it, and the leaves.
const FLOORS: [&str; 7] = [
    "store",
    "engine",
    "transcode",
    "service",
    "mesh",
    "gateway",
    "control",
];

/// Crates that all may use, in an order in which each uses only those before it.
const LEAVES: [&str; 5] = ["http", "settings", "api", "call", "telemetry"];

struct Source {
    /// Below `host`, with slashes.
    path: String,
    lines: Vec<String>,
}

#[test]
fn no_arrow_goes_back() {
    let order: Vec<_> = LEAVES.iter().chain(&FLOORS).copied().collect();
    let mut found = Vec::new();
    for name in crates() {
        let Some(own) = order.iter().position(|known| *known == name) else {
            found.push(format!("host/crates/{name}: on which floor is it?"));
            continue;
        };
        let used = dependencies(&name);
        let used = used.iter().filter_map(|used| used.strip_prefix("stoa-"));
        let backwards = used.filter(|used| !order[..own].contains(used));
        found.extend(backwards.map(|used| format!("host/crates/{name} uses {used}")));
    }
    assert_none(found);
}

#[test]
fn http_has_no_word_of_stoa() {
    let found = dependencies("http");
    let own = found.iter().filter(|used| used.starts_with("stoa-"));
    let mut found: Vec<_> = own
        .map(|used| format!("host/crates/http uses {used}"))
        .collect();
    found.extend(offences(|source, line| {
        source.path.starts_with("crates/http/") && line.to_ascii_lowercase().contains("stoa")
    }));
    assert_none(found);
}

#[test]
fn the_runtime_and_the_database_are_used_by_one_crate_each() {
    let mut found = Vec::new();
    for name in crates() {
        let owner = |used: &str| match used {
            "sled" => Some("store"),
            used if used.starts_with("wasmtime") => Some("engine"),
            _ => None,
        };
        let used = dependencies(&name);
        let foreign = used
            .iter()
            .filter(|used| owner(used).is_some_and(|owner| owner != name));
        found.extend(foreign.map(|used| format!("host/crates/{name} uses {used}")));
    }
    assert_none(found);
}

#[test]
fn a_status_is_picked_in_one_place() {
    let allowed = [
        "crates/gateway/src/respond",
        "crates/control/src/admin/problem",
        "crates/control/src/admin/handlers",
        "crates/control/src/admin/keys",
        "crates/control/src/admin/upstreams",
        "crates/control/src/admin/eureka",
        "crates/control/src/admin/tokens",
        "crates/control/src/admin/client",
    ];
    let picked =
        |line: &str| line.contains("StatusCode::") && !line.trim_start().starts_with("use ");
    assert_none(offences(|source, line| {
        picked(line) && !allowed.iter().any(|place| source.path.starts_with(place))
    }));
}

#[test]
fn an_instance_is_taken_only_for_a_guard() {
    let takes = |source: &Source| source.path.starts_with("crates/mesh/src/target/");
    assert_none(offences(|source, line| {
        line.contains("pool.acquire(") && !takes(source)
    }));
}

#[test]
fn nothing_in_the_host_prints_or_sleeps_a_thread() {
    // To open the store blocks, by its contract: it waits there for another store of
    // this process, of whose end nothing tells.
    let waits = |source: &Source| source.path == "crates/store/src/sled.rs";
    assert_none(offences(|source, line| {
        line.contains("println!(") || line.contains("thread::sleep") && !waits(source)
    }));
}

/// The crates of the host, but for the program.
fn crates() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let names = fs::read_dir(folder).expect("the folder is there");
    let names = names.map(|entry| entry.expect("it can be read").file_name());
    let names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    assert_eq!(names.len(), LEAVES.len() + FLOORS.len(), "{names:?}");
    names
}

/// What a crate of the host uses, beside what only its tests use.
fn dependencies(name: &str) -> Vec<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("crates")
        .join(name)
        .join("Cargo.toml");
    let text = fs::read_to_string(manifest).expect("a crate has a manifest");
    let lines = text.lines().skip_while(|line| *line != "[dependencies]");
    let lines = lines.skip(1).take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ']).next());
    let names: Vec<_> = names
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect();
    assert!(!names.is_empty(), "{name} uses nothing");
    names
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
                    "host/{}:{}: {}",
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

/// All of `host`, without tests and comments.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(root, &mut files);
    files
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(root).expect("it was found there");
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
