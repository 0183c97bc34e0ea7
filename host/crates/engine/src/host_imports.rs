//! Which imports the host itself meets.

mod items;

use super::handler_link::Handler;

#[cfg(test)]
pub(crate) use items::LIST;
pub use items::lacking;

/// Packages of which every interface is offered, with the version track.
const PACKAGES: &[(&str, &str)] = &[
    ("wasi:cli", "0.2"),
    ("wasi:clocks", "0.2"),
    ("wasi:filesystem", "0.2"),
    ("wasi:http", "0.2"),
    ("wasi:io", "0.2"),
    ("wasi:random", "0.2"),
    ("wasi:sockets", "0.2"),
    ("wasi:cli", "0.3"),
    ("wasi:clocks", "0.3"),
    ("wasi:filesystem", "0.3"),
    ("wasi:http", "0.3"),
    ("wasi:random", "0.3"),
    ("wasi:sockets", "0.3"),
];

/// Interfaces of drafts, which match only by their exact version; `""` is none.
const DRAFTS: &[(&str, &[&str])] = &[
    ("wasi:keyvalue/store", &["0.2.0-draft2", "0.2.0-draft"]),
    ("wasi:keyvalue/atomics", &["0.2.0-draft2", "0.2.0-draft"]),
    ("wasi:keyvalue/batch", &["0.2.0-draft2", "0.2.0-draft"]),
    ("wasi:blobstore/blobstore", &["0.2.0-draft"]),
    ("wasi:blobstore/container", &["0.2.0-draft"]),
    ("wasi:blobstore/types", &["0.2.0-draft"]),
    (
        "wasi:config/store",
        &["0.2.0-rc.1", "0.2.0-draft", "0.2.0-draft-2024-09-27"],
    ),
    ("wasi:config/runtime", &["0.2.0-draft"]),
    ("wasi:logging/logging", &["0.1.0-draft", ""]),
];

/// What Stoa adds to the standard.
const OWN: &[&str] = &[
    "stoa:service/types",
    "stoa:service/context",
    "stoa:service/secrets",
    "stoa:service/outbox",
    "stoa:service/cache",
    "stoa:service/health",
];

/// Whether the host meets an import of `interface`, with its version. A handler of
/// `wasi:http` is another service's.
pub fn meets(interface: &str) -> bool {
    if Handler::of(interface).is_some() {
        return false;
    }
    let (name, version) = interface.split_once('@').unwrap_or((interface, ""));
    let package = package_of(name);
    if OWN.contains(&name) {
        return version.starts_with("0.1.");
    }
    if let Some((_, versions)) = DRAFTS.iter().find(|(draft, _)| *draft == name) {
        return versions.contains(&version);
    }
    PACKAGES.iter().any(|(offered, track)| {
        *offered == package
            && version
                .strip_prefix(track)
                .is_some_and(|patch| patch.starts_with('.') && !patch.contains('-'))
    })
}

/// What the host has in place of an interface that it does not have, and what to do;
/// `None` where it has nothing of its package.
pub fn instead(interface: &str) -> Option<String> {
    let (name, version) = interface.split_once('@').unwrap_or((interface, ""));
    let (package, _) = name.split_once('/')?;
    let tracks = PACKAGES.iter().filter(|(offered, _)| *offered == package);
    let tracks: Vec<_> = tracks.map(|(_, track)| format!("{track}.x")).collect();
    if !tracks.is_empty() {
        let tracks = tracks.join(" and ");
        return Some(if version.contains('-') {
            format!(
                "this host has {package} {tracks}, of which no release candidate is one: rebuild it with a toolchain \
                 of the release ({})",
                if version.starts_with("0.2.") {
                    RELEASED_P2
                } else {
                    RELEASED_P3
                }
            )
        } else {
            format!(
                "this host has {package} {tracks}: rebuild it with the WIT of one of these releases"
            )
        });
    }
    let drafts = DRAFTS
        .iter()
        .filter(|(draft, _)| package_of(draft) == package);
    let drafts: Vec<_> = drafts
        .map(|(draft, versions)| {
            format!("{draft} {}", versions.join(" or ").trim_end_matches(" or "))
        })
        .collect();
    if !drafts.is_empty() {
        return Some(format!(
            "this host has {}: rebuild it with the WIT of one of these",
            drafts.join(", ")
        ));
    }
    if OWN.iter().any(|own| package_of(own) == package) {
        return Some(format!(
            "this host has {} in version 0.1.x: rebuild it with the WIT of this host",
            OWN.join(", ")
        ));
    }
    package.starts_with("wasi:").then(|| {
        let mut packages: Vec<_> = PACKAGES.iter().map(|(offered, _)| *offered).collect();
        packages.extend(DRAFTS.iter().map(|(draft, _)| package_of(draft)));
        packages.sort_unstable();
        packages.dedup();
        format!(
            "this host has nothing of {package}, only {}: leave the import out, or deploy a service that exports it",
            packages.join(", ")
        )
    })
}

/// The oldest of Rust's that speak WASI 0.2.0.
const RELEASED_P2: &str = "for Rust: the target wasm32-wasip2, of Rust 1.82 or newer";
/// The oldest of Rust's that speak WASI 0.3.0, as far as was tried.
const RELEASED_P3: &str = "for Rust: wasip3 0.10 or wit-bindgen 0.63, or newer";

fn package_of(interface: &str) -> &str {
    interface.split('/').next().unwrap_or(interface)
}

#[cfg(test)]
mod tests {
    use super::{DRAFTS, LIST, instead, meets};

    #[test]
    fn each_draft_is_in_the_list_of_items() {
        let listed = |name: &str| {
            LIST.lines()
                .any(|line| line.split(' ').next() == Some(name))
        };
        for (name, versions) in DRAFTS {
            for version in *versions {
                let name = format!("{name}@{version}");
                assert!(listed(name.trim_end_matches('@')), "{name}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_told_by_what_is() {
        for (import, expected) in [
            (
                "wasi:http/types@0.3.0-rc-2026-03-15",
                "this host has wasi:http 0.2.x and 0.3.x, of which no release candidate is one",
            ),
            ("wasi:http/types@0.3.0-rc-2026-03-15", "wasip3 0.10"),
            (
                "wasi:http/types@0.2.0-rc-2023-12-05",
                "the target wasm32-wasip2",
            ),
            (
                "wasi:io/streams@0.3.0",
                "this host has wasi:io 0.2.x: rebuild",
            ),
            (
                "wasi:keyvalue/watcher@0.2.0-draft2",
                "this host has wasi:keyvalue/store 0.2.0-draft2 or 0.2.0-draft, wasi:keyvalue/atomics",
            ),
            (
                "wasi:logging/logging@1.0.0",
                "wasi:logging/logging 0.1.0-draft: rebuild",
            ),
            (
                "stoa:service/context@0.2.0",
                "stoa:service/context, stoa:service/secrets, stoa:service/outbox, stoa:service/cache",
            ),
            (
                "wasi:nn/graph@0.2.0",
                "nothing of wasi:nn, only wasi:blobstore, wasi:cli, wasi:clocks",
            ),
        ] {
            let told = instead(import).unwrap();
            assert!(told.contains(expected), "{import}: {told}");
        }
        assert_eq!(instead("shop:product/products@0.1.0"), None);
    }

    #[test]
    fn standard_interfaces_match_by_track_and_drafts_exactly() {
        for met in [
            "wasi:cli/environment@0.2.0",
            "wasi:http/types@0.2.12",
            "wasi:http/types@0.3.2",
            "wasi:http/client@0.3.2",
            "wasi:keyvalue/store@0.2.0-draft2",
            "wasi:blobstore/container@0.2.0-draft",
            "wasi:logging/logging",
            "wasi:config/runtime@0.2.0-draft",
            "stoa:service/context@0.1.0",
        ] {
            assert!(meets(met), "{met}");
        }
        for unmet in [
            "wasi:http/types@0.1.0",
            "wasi:http/types@0.20.0",
            "wasi:http/types@0.3.0-rc-2026-03-15",
            "wasi:keyvalue/store@0.2.0-draft3",
            "wasi:http/handler@0.3.2",
            "wasi:http/incoming-handler@0.2.12",
            "wasi:nn/graph@0.2.0",
            "shop:product/products@0.1.0",
            "stoa:service/context@0.2.0",
        ] {
            assert!(!meets(unmet), "{unmet}");
        }
    }
}
