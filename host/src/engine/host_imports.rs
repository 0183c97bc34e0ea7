//! Which imports the host itself meets.

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
    ("wasi:config/store", &["0.2.0-rc.1", "0.2.0-draft"]),
    ("wasi:logging/logging", &["0.1.0-draft", ""]),
];

/// What Stoa adds to the standard.
const OWN: &[&str] = &[
    "stoa:service/types",
    "stoa:service/context",
    "stoa:service/secrets",
    "stoa:service/health",
];

/// Whether the host meets an import of `interface`, with its version.
pub fn meets(interface: &str) -> bool {
    let (name, version) = interface.split_once('@').unwrap_or((interface, ""));
    let package = name.split('/').next().unwrap_or(name);
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

#[cfg(test)]
mod tests {
    use super::meets;

    #[test]
    fn standard_interfaces_match_by_track_and_drafts_exactly() {
        for met in [
            "wasi:cli/environment@0.2.0",
            "wasi:http/types@0.2.12",
            "wasi:http/types@0.3.2",
            "wasi:keyvalue/store@0.2.0-draft2",
            "wasi:logging/logging",
            "stoa:service/context@0.1.0",
        ] {
            assert!(meets(met), "{met}");
        }
        for unmet in [
            "wasi:http/types@0.1.0",
            "wasi:http/types@0.20.0",
            "wasi:http/types@0.3.0-rc-2026-03-15",
            "wasi:keyvalue/store@0.2.0-draft3",
            "wasi:nn/graph@0.2.0",
            "shop:product/products@0.1.0",
            "stoa:service/context@0.2.0",
        ] {
            assert!(!meets(unmet), "{unmet}");
        }
    }
}
