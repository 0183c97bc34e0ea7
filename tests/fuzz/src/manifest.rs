//! `stoa.toml`.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stoa_settings::manifest::Manifest;
use stoa_settings::spelling::laxest;
use stoa_settings::{Route, Target};

use crate::route::find_path;

/// Reads a manifest. What is read must come through the admin API's JSON as it was;
/// what is not has its faults on lines of the text.
///
/// # Panics
/// When it does not.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Manifest::parse(Path::new("stoa.toml"), text) {
        Ok(manifest) => {
            for service in manifest.services.values() {
                comes_back(&service.settings);
                service.settings.routes.iter().for_each(is_plain);
            }
            for upstream in manifest.upstreams.values() {
                comes_back(upstream);
                upstream.routes.iter().for_each(is_plain);
            }
        }
        Err(faults) => {
            let lines = 1 + text.matches('\n').count();
            for fault in faults.iter() {
                let line = fault.line.expect("a fault of a text has a line");
                assert!((1..=lines).contains(&line), "{fault}");
                assert!(!fault.message.is_empty(), "{fault}");
            }
        }
    }
}

/// A route whose service sees the whole request takes its own path however that is
/// spelled: the gateway refuses others.
fn is_plain(route: &Route) {
    if route.target != Target::Http {
        return;
    }
    let filled = route.path.split('/').map(|segment| match segment {
        parameter if parameter.starts_with('{') => "x",
        "*" => "y",
        literal => literal,
    });
    let path = filled.collect::<Vec<_>>().join("/");
    let lax = laxest(&path);
    if let Ok(found) = find_path(&[&route.path], &lax) {
        assert!(found.is_some(), "{:?} does not take {lax:?}", route.path);
    }
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(settings: &T) {
    let json = serde_json::to_string(settings).expect("settings are JSON");
    let again: T = serde_json::from_str(&json).unwrap_or_else(|fault| panic!("{fault}: {json}"));
    assert_eq!(again, *settings, "{json}");
}
