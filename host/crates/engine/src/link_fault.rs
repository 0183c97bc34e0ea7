//! What the linker refused, in words for the one who built the component.

use super::host_imports::lacking;

/// A part of an import that the host has not, or has otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LinkFault(String);

impl LinkFault {
    /// Reads an error of the linker: from the outside in, what is imported, the item
    /// of it, what is wrong with that.
    pub(super) fn new(error: &wasmtime::Error) -> Self {
        let told: Vec<_> = error.chain().map(ToString::to_string).collect();
        let import = told.first().and_then(|told| quoted(told));
        let item = told.get(1).and_then(|told| quoted(told));
        let (Some(import), Some(item), Some(cause)) = (import, item, told.last()) else {
            return Self(format!("the component can't be linked: {error:#}"));
        };
        Self(match cause.strip_suffix(" implementation is missing") {
            Some(kind) => lacking(import, [item]).pop().unwrap_or_else(|| {
                format!(
                    "it imports the {kind} {item} of {import}, which this host has not: build it without the import"
                )
            }),
            None => format!(
                "it imports {item} of {import} with another type than this host's ({cause}): rebuild it with the WIT of a \
                 release"
            ),
        })
    }
}

fn quoted(text: &str) -> Option<&str> {
    text.split('`').nth(1)
}
