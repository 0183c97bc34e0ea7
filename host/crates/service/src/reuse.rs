//! How many calls an instance serves in its life, and why.
//!
//! An export of the component model may be called any number of times, with one
//! exception: a host may give each request to `wasi:http` 0.2 an instance of its own,
//! most do, and toolchains rely on it. Their instances serve one request and trap
//! at the next, or answer it wrongly. `wasi:http` 0.3 is made for many.

use super::contract::Contract;
use stoa_settings::Pool;

/// The life of a revision's instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reuse {
    /// Calls at most; `None` is no end.
    pub calls: Option<u64>,
    /// For people: who decided it, or on what grounds.
    pub reason: String,
}

impl Reuse {
    /// As the settings say, else as is sound for the component.
    pub fn of(contract: &Contract, settings: &Pool) -> Self {
        if settings.reuse.is_some() {
            return Self {
                calls: settings.reuse,
                reason: "`pool.reuse` says so".to_owned(),
            };
        }
        let (http, producers) = (contract.serves_http(), contract.producers());
        let (calls, reason) = match (http.p3, http.p2) {
            (true, _) => (None, "wasi:http 0.3 is made for it".to_owned()),
            (false, false) => (None, "exported functions are made for it".to_owned()),
            (false, true) if producers.is_rust() => (None, format!("made by {producers}")),
            (false, true) => (
                Some(1),
                format!(
                    "a wasi:http 0.2 handler made by {producers}, whose instances may serve one request only; \
                     set `pool.reuse` if they serve more"
                ),
            ),
        };
        Self { calls, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_test_components::{component, made_by};

    const WIT: &str = "package a:b;
        interface plain { ping: func() -> u8; }
        world functions { export plain; }
        world p2 { export plain; export wasi:http/incoming-handler@0.2.10; }
        world p3 { export wasi:http/handler@0.3.0; }
        world all { include p2; include p3; }
        package wasi:http@0.2.10 { interface incoming-handler { handle: func(); } }
        package wasi:http@0.3.0 { interface handler { handle: func(); } }";

    fn decided(world: &str, tool: &str, reuse: Option<u64>) -> Reuse {
        let bytes = made_by(&component(WIT, world), &[(tool, "1.2.3")]);
        let settings = Pool {
            reuse,
            ..Pool::default()
        };
        Reuse::of(&Contract::read(&bytes).unwrap(), &settings)
    }

    #[test]
    fn an_instance_is_reused_where_that_is_sound() {
        for (world, tool, calls, reason) in [
            ("functions", "ComponentizeJS", None, "exported functions"),
            ("p3", "ComponentizeJS", None, "wasi:http 0.3"),
            ("all", "ComponentizeJS", None, "wasi:http 0.3"),
            (
                "p2",
                "wit-bindgen-rust",
                None,
                "made by wit-bindgen-rust 1.2.3",
            ),
            (
                "p2",
                "ComponentizeJS",
                Some(1),
                "made by ComponentizeJS 1.2.3",
            ),
            ("p2", "wit-component", Some(1), "does not name"),
        ] {
            let found = decided(world, tool, None);
            assert_eq!(found.calls, calls, "{world} by {tool}");
            assert!(found.reason.contains(reason), "{}", found.reason);
        }
    }

    #[test]
    fn the_manifest_overrules() {
        for tool in ["wit-bindgen-rust", "ComponentizeJS"] {
            for calls in [1, 1000] {
                let found = decided("p2", tool, Some(calls));
                assert_eq!(found.calls, Some(calls));
                assert!(found.reason.contains("pool.reuse"), "{}", found.reason);
            }
        }
    }
}
