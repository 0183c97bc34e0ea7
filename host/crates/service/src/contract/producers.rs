//! What made a component, as its `producers` sections say.
//!
//! They are what tools write down of themselves: good for a default that a person
//! can overrule, not for trust.

use std::fmt;

use wasmparser::{Encoding, KnownCustom, Payload, ProducersSectionReader};

/// Writes the bindings of Rust components, and itself into what it generates, which
/// `strip` leaves. Interpreters that are written in Rust come without it.
const RUST_BINDINGS: &str = "wit-bindgen-rust";

const RUST_COMPILER: &str = "rustc ";

/// Tools that put components together, whatever they are made of.
const PLUMBING: &[&str] = &["wit-component", "component-init-transform"];

/// A message names so many tools, with so many characters each.
const NAMED: usize = 4;
const NAME: usize = 40;

/// The tools that made a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Producers {
    /// With their versions, those of the whole component first.
    tools: Vec<String>,
    is_rust: bool,
}

impl Producers {
    /// Whether all of its code is called through Rust's bindings.
    pub fn is_rust(&self) -> bool {
        self.is_rust
    }
}

impl fmt::Display for Producers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tools.as_slice() {
            [] => f.write_str("tools that its producers section does not name"),
            tools => f.write_str(&tools[..tools.len().min(NAMED)].join(", ")),
        }
    }
}

/// Reads [`Producers`] while a parser goes through a component.
#[derive(Default)]
pub(super) struct Reading {
    /// The modules and components that the parser is in, outermost first.
    within: Vec<Level>,
    /// The components that have code.
    parts: Parts,
    tools: Vec<(usize, String)>,
}

struct Level {
    is_module: bool,
    has_code: bool,
    is_rust: bool,
}

#[derive(Default)]
struct Parts {
    rust: usize,
    others: usize,
}

impl Reading {
    /// Takes what the parser read next.
    pub(super) fn payload(&mut self, payload: &Payload<'_>) {
        match payload {
            Payload::Version { encoding, .. } => {
                let is_module = *encoding == Encoding::Module;
                self.within.push(Level {
                    is_module,
                    has_code: is_module,
                    is_rust: false,
                });
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Producers(section) = section.as_known() {
                    self.section(section);
                }
            }
            Payload::End(_) => self.leave(),
            _ => {}
        }
    }

    /// All that was found.
    pub(super) fn finish(mut self) -> Producers {
        let is_rust = self.parts.rust > 0 && self.parts.others == 0;
        self.tools.sort_by_key(|(depth, _)| *depth);
        let mut tools = Vec::new();
        for (_, tool) in self.tools {
            // The adapter of WASI 0.1 is made by it, whatever it stands beside.
            let is_adapters = !is_rust && tool.starts_with(RUST_COMPILER);
            if !is_adapters && !tools.contains(&tool) {
                tools.push(tool);
            }
        }
        Producers { tools, is_rust }
    }

    /// A module's code is that of the component around it.
    fn leave(&mut self) {
        let Some(left) = self.within.pop() else {
            return;
        };
        match self.within.last_mut() {
            Some(around) if left.is_module => {
                around.has_code = true;
                around.is_rust |= left.is_rust;
            }
            _ if !left.has_code => {}
            _ if left.is_rust => self.parts.rust += 1,
            _ => self.parts.others += 1,
        }
    }

    /// A section that can't be read says nothing.
    fn section(&mut self, section: ProducersSectionReader<'_>) {
        let fields = section.into_iter().filter_map(Result::ok);
        for field in fields.filter(|field| field.name == "processed-by") {
            for tool in field.values.into_iter().filter_map(Result::ok) {
                self.tool(tool.name, tool.version);
            }
        }
    }

    fn tool(&mut self, name: &str, version: &str) {
        if let Some(level) = self.within.last_mut() {
            level.is_rust |= name == RUST_BINDINGS;
        }
        // Enough to choose from: who wrote the section may have written much.
        if PLUMBING.contains(&name) || self.tools.len() >= NAMED * NAMED {
            return;
        }
        // Some add their whole history in brackets.
        let version = version.split_whitespace().next().unwrap_or_default();
        let tool = format!("{name} {version}");
        let tool = tool.trim_end().chars().take(NAME).collect();
        self.tools.push((self.within.len(), tool));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Contract;
    use stoa_test_components::{SHOP, component, leb128, made_by};

    fn read(component: &[u8]) -> (bool, String) {
        let contract = Contract::read(component).unwrap();
        let producers = contract.producers();
        (producers.is_rust(), producers.to_string())
    }

    /// A component of two others.
    fn both(one: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        for part in [one, other] {
            // A component section.
            bytes.push(4);
            bytes.extend(leb128(part.len()));
            bytes.extend(part);
        }
        bytes
    }

    #[test]
    fn rust_is_told_by_its_bindings() {
        let rust = made_by(
            &component(SHOP, "product"),
            &[
                ("rustc", "1.95.0 (abc 2026)"),
                ("wit-bindgen-rust", "0.63.0"),
            ],
        );
        assert_eq!(
            read(&rust),
            (true, "rustc 1.95.0, wit-bindgen-rust 0.63.0".to_owned())
        );
        let javascript = made_by(
            &component(SHOP, "product"),
            &[
                ("wit-component", "0.259.0"),
                ("ComponentizeJS", "0.23.0"),
                ("rustc", "1.88.0"),
            ],
        );
        assert_eq!(
            read(&javascript),
            (false, "ComponentizeJS 0.23.0".to_owned())
        );
        let nobody = "tools that its producers section does not name";
        assert_eq!(
            read(&component(SHOP, "product")),
            (false, nobody.to_owned())
        );
        assert!(!read(&both(&rust, &javascript)).0, "a part is not Rust's");
        assert!(read(&both(&rust, &rust)).0);
    }

    #[test]
    fn what_a_section_says_is_bounded() {
        let long = "x".repeat(100);
        let many: Vec<_> = (0..100)
            .map(|number| (long.as_str(), number.to_string()))
            .collect();
        let many: Vec<_> = many
            .iter()
            .map(|(name, version)| (*name, version.as_str()))
            .collect();
        let (_, told) = read(&made_by(&component(SHOP, "product"), &many));
        assert!(told.len() < 200, "{told}");
    }
}
