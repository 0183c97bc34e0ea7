//! Why a route can't lead where it wants: what the component has instead, and what
//! to do.

use stoa_engine::host_instead;
use stoa_service::contract::{Contract, Interface};
use stoa_settings::FunctionName;

/// The route wants a function that is not there.
pub(super) fn no_function(wanted: &FunctionName, contract: &Contract) -> String {
    let interfaces = contract.exports().iter();
    let exported: Vec<_> = interfaces
        .flat_map(|interface| {
            let functions = interface.functions.iter();
            functions.map(move |function| format!("{}.{}", interface.name, function.name))
        })
        .collect();
    if !exported.is_empty() {
        return format!(
            "the route wants {wanted}, but the component exports {}",
            exported.join(", ")
        );
    }
    match contract.plain_exports().first() {
        Some(plain) => format!(
            "the route wants {wanted}, but the component exports functions outside of any interface only, such as {}: \
             put them into an interface of its WIT",
            plain.name
        ),
        None => format!(
            "the route wants {wanted}, but the component exports no function: has its code the `export!` of its \
             bindings, and is it built as a library (Rust: crate-type = [\"cdylib\"])?"
        ),
    }
}

/// The route wants a handler of the component's own.
pub(super) fn no_handler(contract: &Contract) -> String {
    const WANTED: &str = "the route wants the component's own handler, wasi:http/incoming-handler@0.2 or \
                          wasi:http/handler@0.3, but the component exports";
    let exports = contract.exports();
    let of = |package: &str| exports.iter().find(|export| export.name.package == package);
    if let Some(Interface { name, .. }) = of("wasi:http") {
        let instead = host_instead(&name.to_string()).unwrap_or_default();
        return format!("{WANTED} {name}; {instead}");
    }
    if let Some(command) = of("wasi:cli") {
        return format!(
            "{WANTED} {}: a command answers no requests; build it as a library that exports a handler",
            command.name
        );
    }
    let names: Vec<_> = exports
        .iter()
        .map(|export| export.name.to_string())
        .collect();
    match names.as_slice() {
        [] => format!("{WANTED} nothing: export one of them"),
        names => format!(
            "{WANTED} {}: export one of them, or name a function with `call`",
            names.join(", ")
        ),
    }
}
