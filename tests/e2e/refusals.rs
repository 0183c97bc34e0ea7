//! What a deploy says of a component that can't be taken: what was expected, what
//! was found, what to do. Once, and in no other tool's words.

use anyhow::{Context as _, Result};
use stoa_tests::service::Service;

use crate::host;

/// A component that imports an interface with this item.
fn importing(interface: &str, item: &str) -> String {
    format!("(component (import \"{interface}\" (instance {item})))")
}

/// A component that exports an empty interface.
fn exporting(interface: &str) -> String {
    format!("(component (instance $i) (export \"{interface}\" (instance $i)))")
}

/// Text of WebAssembly, whether it gets a route to its handler or to a function, the
/// fault's code, and what its message must name.
type Case = (
    String,
    Option<&'static str>,
    &'static str,
    &'static [&'static str],
);

const HANDLER: Option<&str> = Some("http");
const FUNCTION: Option<&str> = Some("call");

fn imports() -> Vec<Case> {
    let plain = r#"(export "get" (func (result u64)))"#;
    let resource = r#"(export "file" (type (sub resource)))"#;
    let text = r#"(export "get-random-u64" (func (result string)))"#;
    let of = |interface, item, code, told: &'static [&'static str]| {
        (importing(interface, item), None, code, told)
    };
    vec![
        of(
            "wasi:http/types@0.3.0-rc-2026-03-15",
            plain,
            "unknown_import",
            &[
                "wasi:http 0.2.x and 0.3.x",
                "release candidate",
                "wit-bindgen",
            ],
        ),
        of(
            "wasi:http/types@0.2.0-rc-2023-12-05",
            plain,
            "unknown_import",
            &["release candidate", "(for Rust: the target wasm32-wasip2"],
        ),
        of(
            "wasi:clocks/wall-clock@0.1.0",
            plain,
            "unknown_import",
            &["wasi:clocks 0.2.x and 0.3.x", "rebuild"],
        ),
        of(
            "wasi:nn/graph@0.2.0",
            plain,
            "unknown_import",
            &[
                "nothing of wasi:nn",
                "wasi:keyvalue",
                "service that exports it",
            ],
        ),
        of(
            "wasi:keyvalue/store@0.2.0-draft3",
            plain,
            "unknown_import",
            &["wasi:keyvalue/store 0.2.0-draft2 or 0.2.0-draft", "rebuild"],
        ),
        of(
            "stoa:service/contexts@0.1.0",
            plain,
            "unknown_import",
            &["stoa:service/context,", "0.1.x"],
        ),
        of(
            "shop:files/files@1.0.0",
            plain,
            "unknown_import",
            &["nothing does", "deploy the service"],
        ),
        of(
            "shop:files/files@1.0.0",
            resource,
            "unknown_import",
            &["nothing does", "deploy the service"],
        ),
        of(
            "wasi:http/handler@0.3.0",
            plain,
            "unlinked_handler",
            &["wasi:http/handler", "links"],
        ),
        of(
            "wasi:random/random@0.2.99",
            plain,
            "not_linkable",
            &[
                "imports get of wasi:random/random@0.2.99",
                "of wasi:random/random@0.2.12 it has get-random-bytes, get-random-u64",
                "build it with this WIT",
            ],
        ),
        of(
            "wasi:random/dice@0.2.0",
            plain,
            "not_linkable",
            &[
                "imports wasi:random/dice@0.2.0",
                "it has wasi:random/insecure, wasi:random/insecure-seed, wasi:random/random",
            ],
        ),
        of(
            "wasi:clocks/wall-clock@0.2.0",
            r#"(export "nowish" (func (result u64)))"#,
            "not_linkable",
            &["it has now, resolution (did you mean now?)"],
        ),
        of(
            "wasi:keyvalue/store@0.2.0-draft2",
            plain,
            "not_linkable",
            &["imports get of wasi:keyvalue/store@0.2.0-draft2", "open"],
        ),
        of(
            "wasi:filesystem/types@0.2.0",
            resource,
            "not_linkable",
            &["imports file of wasi:filesystem/types@0.2.0", "descriptor"],
        ),
        of(
            "wasi:random/random@0.2.0",
            text,
            "not_linkable",
            &["get-random-u64 of wasi:random/random@0.2.0 with another type"],
        ),
    ]
}

fn others() -> Vec<Case> {
    let plain = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (export "greet" (func $f)))"#;
    let wasi = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func)))"#;
    let browser = r#"(module (import "__wbindgen_placeholder__" "f" (func)))"#;
    let continuation = "(component (core module (type $f (func)) (type (cont $f))))";
    vec![
        (
            "(module)".to_owned(),
            None,
            "core_module",
            &["wasm32-wasip2", "component new`"],
        ),
        (
            wasi.to_owned(),
            None,
            "core_module",
            &["WASI 0.1", "--adapt"],
        ),
        (
            browser.to_owned(),
            None,
            "core_module",
            &["wasm-bindgen", "wasm32-wasip2"],
        ),
        (
            continuation.to_owned(),
            None,
            "not_compilable",
            &["this engine can run", "build it"],
        ),
        (
            exporting("wasi:http/handler@0.3.0-rc-2026-03-15"),
            HANDLER,
            "route_target",
            &[
                "wasi:http/handler@0.3.0-rc-2026-03-15",
                "0.3.x",
                "release candidate",
            ],
        ),
        (
            exporting("wasi:cli/run@0.2.0"),
            HANDLER,
            "route_target",
            &["wasi:cli/run@0.2.0", "a command answers no requests"],
        ),
        (
            exporting("shop:files/files@1.0.0"),
            HANDLER,
            "route_target",
            &["exports shop:files/files@1.0.0", "`call`"],
        ),
        (
            "(component)".to_owned(),
            HANDLER,
            "route_target",
            &["exports nothing"],
        ),
        (
            "(component)".to_owned(),
            FUNCTION,
            "route_target",
            &["exports no function", "cdylib"],
        ),
        (
            plain.to_owned(),
            FUNCTION,
            "route_target",
            &["outside of any interface", "greet", "WIT"],
        ),
    ]
}

#[tokio::test]
async fn a_refusal_says_what_is_expected_and_what_to_do() -> Result<()> {
    let host = host().await?;
    for (text, route, code, told) in imports().into_iter().chain(others()) {
        let component = wat::parse_str(&text).with_context(|| text.clone())?;
        let service = Service::of_bytes("odd", component);
        let service = match route {
            HANDLER => service.http("/odd"),
            FUNCTION => service.call("GET /odd", "shop:odd/odd.get"),
            _ => service,
        };
        let faults = host.admin()?.refused(&service).await?;
        let [fault] = faults.as_slice() else {
            anyhow::bail!("expected one fault of {text}, found {faults:#?}");
        };
        assert_eq!(fault.code, code, "{text}: {fault:?}");
        for part in told {
            assert!(
                fault.message.contains(part),
                "{text}: expected {part:?} in {fault:?}"
            );
        }
        assert!(!fault.message.contains("linker"), "{fault:?}");
    }
    Ok(())
}

/// Who mends one should not meet the next.
#[tokio::test]
async fn all_imports_that_nobody_meets_are_told_together() -> Result<()> {
    let host = host().await?;
    let import = |interface: &str, item: &str| {
        format!("(import \"{interface}\" (instance (export \"{item}\" (func (result u64)))))")
    };
    let wasi = [
        import("wasi:random/random@0.2.0", "get-dice"),
        import("wasi:clocks/wall-clock@0.2.0", "nowish"),
        import("wasi:io/tea@0.2.0", "pour"),
        import("wasi:nn/graph@0.2.0", "load"),
    ];
    let service = import("shop:files/files@1.0.0", "read");
    for imports in [
        &wasi[..3],
        &wasi[1..3],
        &wasi,
        &[&wasi[..], &[service]].concat(),
    ] {
        let component = wat::parse_str(format!("(component {})", imports.concat()))?;
        let odd = Service::of_bytes("odd", component);
        let faults = host.admin()?.refused(&odd).await?;
        assert_eq!(faults.len(), imports.len(), "{faults:#?}");
        let words = ["get-dice", "nowish", "wasi:io/tea", "wasi:nn", "shop:files"];
        for word in words {
            let is_there = imports.concat().contains(word);
            let told = faults.iter().filter(|fault| fault.message.contains(word));
            assert_eq!(told.count(), usize::from(is_there), "{word}: {faults:#?}");
        }
    }
    Ok(())
}
