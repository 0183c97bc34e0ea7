//! Which records pass: `info`, or `info,stoa::gateway=debug,guest::product=trace`.
//!
//! Targets are the host's modules, and `guest::SERVICE` for what components write.
//! The longest target that a record's begins with decides.
//!
//! The host's crates are called `stoa_gateway` and so on, for people `stoa::gateway`.

use std::borrow::Cow;

use tracing_subscriber::filter::{LevelFilter, Targets};

/// A filter that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "log filter: expected a level (off, error, warn, info, debug or trace) or TARGET=LEVEL \
     such as stoa::gateway=debug, separated by commas; found {0:?}"
)]
pub struct FilterError(String);

/// Libraries that tell more than an operator wants, unless the filter names them.
const QUIET: [&str; 6] = ["cranelift", "regalloc2", "sled", "mio", "tower", "notify"];
/// Those that warn of what a client does, which anybody can do a thousand times a second
/// and which says nothing of the service or the trace: the host tells what matters of it.
const PROVOKED: [&str; 3] = ["wasmtime", "hyper", "h2"];

/// Reads a filter; empty parts are skipped and the empty filter is `info`.
pub(super) fn parse(text: &str) -> Result<Targets, FilterError> {
    let mut default = LevelFilter::INFO;
    let mut named = Vec::new();
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        match part.split_once('=') {
            Some((target, level)) => {
                let (target, level) = (target_of(target, part)?, level_of(level, part)?);
                named.extend(of_crate(target).map(|target| (target, level)));
                named.push((target.to_owned(), level));
            }
            None => default = level_of(part, part)?,
        }
    }
    let quiet = QUIET.map(|target| (target, default.min(LevelFilter::WARN)));
    let provoked = PROVOKED.map(|target| (target, default.min(LevelFilter::ERROR)));
    // A target that comes twice keeps its last level.
    Ok(Targets::new()
        .with_default(default)
        .with_targets(quiet)
        .with_targets(provoked)
        .with_targets(named))
}

fn level_of(level: &str, part: &str) -> Result<LevelFilter, FilterError> {
    let level = level.trim();
    let is_word = level.chars().all(|c| c.is_ascii_alphabetic());
    let parsed = level.parse().ok().filter(|_| is_word && !level.is_empty());
    parsed.ok_or_else(|| FilterError(part.to_owned()))
}

fn target_of<'a>(target: &'a str, part: &str) -> Result<&'a str, FilterError> {
    let target = target.trim();
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
    if target.is_empty() || !target.chars().all(is_path) {
        return Err(FilterError(part.to_owned()));
    }
    Ok(target)
}

/// The name that a crate's target has for people.
pub(super) fn for_people(target: &str) -> Cow<'_, str> {
    match target.strip_prefix("stoa_") {
        Some(rest) => format!("stoa::{rest}").into(),
        None => target.into(),
    }
}

/// The target that people mean, if it is that of a crate: the program's own are as they
/// are.
fn of_crate(name: &str) -> Option<String> {
    let rest = name.strip_prefix("stoa::")?;
    Some(format!("stoa_{rest}"))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn passes(filter: &str, target: &str, level: Level) -> bool {
        parse(filter).unwrap().would_enable(target, &level)
    }

    #[test]
    fn the_longest_target_decides() {
        let filter = "warn, stoa::gateway=debug ,stoa::gateway::route=error";
        assert!(!passes(filter, "stoa_mesh", Level::INFO));
        assert!(passes(filter, "stoa_gateway::accept", Level::DEBUG));
        assert!(!passes(filter, "stoa_gateway::route", Level::WARN));
        assert!(passes(
            "warn,stoa=debug",
            "stoa_gateway::accept",
            Level::DEBUG
        ));
        assert_eq!(for_people("stoa_gateway::accept"), "stoa::gateway::accept");
    }

    #[test]
    fn libraries_are_quiet_unless_named() {
        assert!(!passes("debug", "wasmtime_wasi::p2", Level::INFO));
        assert!(passes("debug", "sled::pagecache", Level::WARN));
        assert!(!passes("error", "sled::pagecache", Level::WARN));
        for provoked in ["hyper::proto", "h2::codec", "wasmtime_wasi_http::ctx"] {
            assert!(!passes("debug", provoked, Level::WARN), "{provoked}");
            assert!(passes("debug", provoked, Level::ERROR), "{provoked}");
        }
        assert!(passes("hyper=warn", "hyper::proto", Level::WARN));
        assert!(passes("info,h2=trace", "h2::codec", Level::TRACE));
        assert!(passes("", "stoa::host", Level::INFO));
        assert!(!passes("off", "stoa::host", Level::ERROR));
    }

    #[test]
    fn what_is_no_filter_is_named_in_the_error() {
        for (filter, found) in [
            ("inf", "\"inf\""),
            ("info,stoa=loud", "\"stoa=loud\""),
            ("info,=debug", "\"=debug\""),
            ("info,stoa[span]=debug", "\"stoa[span]=debug\""),
            ("stoa=", "\"stoa=\""),
            ("3", "\"3\""),
        ] {
            let error = parse(filter).unwrap_err().to_string();
            assert!(error.ends_with(found), "{filter}: {error}");
        }
    }
}
