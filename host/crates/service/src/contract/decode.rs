//! From bytes to the validator's view of a component.
//!
//! The bytes may come from anyone: all that is relied on here has passed the
//! validator. Function bodies are not looked at; compiling does that.

use wasmparser::component_types::ComponentItem;
use wasmparser::types::Types;
use wasmparser::{Parser, Payload, ValidPayload, Validator, WasmFeatures};

use super::fault::{ContractFault, check_header};
use super::producers::{Producers, Reading};

/// A valid component.
pub(super) struct Decoded {
    /// Every type in it.
    pub types: Types,
    /// Names of what it imports, in order.
    pub imports: Vec<String>,
    /// Names of what it exports, in order.
    pub exports: Vec<String>,
    /// Whether it can only run where concurrency is supported.
    pub concurrency: Concurrency,
    /// What made it.
    pub producers: Producers,
}

/// Whether a component uses the component model's async features, in its types
/// or only inside (a synchronous import that it calls without waiting).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Concurrency {
    Needed,
    NotNeeded,
}

/// What the runtime refuses where concurrency support is off.
const CONCURRENT: WasmFeatures = WasmFeatures::CM_ASYNC
    .union(WasmFeatures::CM_MORE_ASYNC_BUILTINS)
    .union(WasmFeatures::CM_ASYNC_STACKFUL)
    .union(WasmFeatures::CM_THREADING)
    .union(WasmFeatures::CM_ERROR_CONTEXT);

/// Validates `bytes` as a component.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, ContractFault> {
    check_header(bytes)?;
    // Asking the validator the runtime's own question can't disagree with it.
    // Most components pass the first time; others fail early, at their types.
    if let Ok(decoded) = validate(bytes, Concurrency::NotNeeded) {
        return Ok(decoded);
    }
    validate(bytes, Concurrency::Needed).map_err(|fault| ContractFault::invalid(bytes, &fault))
}

fn validate(bytes: &[u8], concurrency: Concurrency) -> wasmparser::Result<Decoded> {
    let features = match concurrency {
        Concurrency::Needed => WasmFeatures::all(),
        Concurrency::NotNeeded => WasmFeatures::all().difference(CONCURRENT),
    };
    let mut validator = Validator::new_with_features(features);
    let (mut imports, mut exports, mut depth, mut types) = (Vec::new(), Vec::new(), 0_u32, None);
    let mut producers = Reading::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        producers.payload(&payload);
        match &payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section.clone() {
                    imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section.clone() {
                    exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
        if let ValidPayload::End(all) = validator.payload(&payload)? {
            types = Some(all);
        }
    }
    let types = types.expect("the parser ends with an End payload or an error");
    Ok(Decoded {
        types,
        imports,
        exports,
        concurrency,
        producers: producers.finish(),
    })
}

impl Decoded {
    pub(super) fn imported(&self) -> impl Iterator<Item = (&str, &ComponentItem)> {
        self.imports
            .iter()
            .filter_map(|name| Some((name.as_str(), self.types.component_item_for_import(name)?)))
    }

    pub(super) fn exported(&self) -> impl Iterator<Item = (&str, &ComponentItem)> {
        self.exports
            .iter()
            .filter_map(|name| Some((name.as_str(), self.types.component_item_for_export(name)?)))
    }
}
