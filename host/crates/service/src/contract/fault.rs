//! Why bytes were refused: what was expected, what was found, what to do.

use std::fmt::{Display, Write as _};

use wasmparser::{Chunk, Parser, Payload};

/// A component that the host refuses before it compiles anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ContractFault {
    /// The kind of fault.
    pub code: FaultCode,
    /// For people: what was expected, what was found, what to do.
    pub message: String,
}

/// The kinds of fault in a component's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultCode {
    /// No bytes at all.
    Empty,
    /// Something else than binary WebAssembly.
    NotWasm,
    /// The end is missing.
    Truncated,
    /// A core module, which has no contract.
    CoreModule,
    /// A WIT package in binary form: a contract, but no code.
    WitPackage,
    /// Bytes that are not valid WebAssembly.
    Malformed,
    /// An import outside of a named interface.
    PlainImport,
}

impl FaultCode {
    /// The code as programs read it: `core_module`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotWasm => "not_wasm",
            Self::Truncated => "truncated",
            Self::CoreModule => "core_module",
            Self::WitPackage => "wit_package",
            Self::Malformed => "malformed",
            Self::PlainImport => "plain_import",
        }
    }
}

impl ContractFault {
    pub(super) fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// Why validation failed with `fault`: the end of `bytes` is missing, or
    /// what is there is wrong.
    pub(super) fn invalid(bytes: &[u8], fault: &wasmparser::Error) -> Self {
        if is_cut_short(bytes) {
            let message = format!(
                "expected a whole component, found one that ends after {} bytes in the middle of a \
                 section: upload it again",
                bytes.len()
            );
            return Self::new(FaultCode::Truncated, message);
        }
        Self::new(
            FaultCode::Malformed,
            format!(
                "expected a valid component, found at byte {:#x}: {}",
                fault.offset(),
                fault.message()
            ),
        )
    }
}

/// Refuses what is no binary component by its first eight bytes.
pub(super) fn check_header(bytes: &[u8]) -> Result<(), ContractFault> {
    use FaultCode::{CoreModule, Empty, NotWasm, Truncated};
    if bytes.is_empty() {
        return Err(ContractFault::new(
            Empty,
            "expected a component, found an empty file: was the build interrupted?",
        ));
    }
    if !bytes.starts_with(&MAGIC[..bytes.len().min(4)]) {
        let message = format!(
            "expected a WebAssembly component (it begins with 00 61 73 6d), found {}",
            describe(bytes)
        );
        return Err(ContractFault::new(NotWasm, message));
    }
    let Some(version) = bytes.get(4..8) else {
        let message = format!(
            "expected a component, found only the first {} bytes of a WebAssembly header: \
             upload it again",
            bytes.len()
        );
        return Err(ContractFault::new(Truncated, message));
    };
    match version {
        // The layer: 1 is a component. Which versions of it can be read is the parser's to say.
        [_, _, 1, 0] => Ok(()),
        [1, 0, 0, 0] => Err(ContractFault::new(CoreModule, core_module(bytes))),
        _ => {
            let message = format!(
                "expected a WebAssembly component, found WebAssembly of the unknown version {}",
                hex(version)
            );
            Err(ContractFault::new(NotWasm, message))
        }
    }
}

/// What kind of core module it is can be seen by where its imports come from.
fn core_module(bytes: &[u8]) -> String {
    let payloads = Parser::new(0).parse_all(bytes).map_while(Result::ok);
    let imports: Vec<_> = payloads
        .filter_map(|payload| match payload {
            Payload::ImportSection(section) => Some(section.into_imports()),
            _ => None,
        })
        .flatten()
        .map_while(Result::ok)
        .map(|import| import.module)
        .collect();
    let imports = |prefix: &str| imports.iter().any(|module| module.starts_with(prefix));
    let (kind, convert) = if imports("wasi_") {
        let adapt = "`wasm-tools component new --adapt wasi_snapshot_preview1.reactor.wasm`";
        (" of WASI 0.1", adapt)
    } else if imports("__wbindgen") {
        let again = "build it again without wasm-bindgen, which is for browsers";
        return format!("expected a component, found a core module: {again}, for wasm32-wasip2");
    } else {
        ("", "`wasm-tools component new`")
    };
    format!(
        "expected a component, found a core module{kind}: build it for wasm32-wasip2, or make it one by {convert}"
    )
}

const MAGIC: [u8; 4] = *b"\0asm";

/// The first bytes of a file, and what kind of file begins with them.
fn describe(bytes: &[u8]) -> String {
    let found = hex(&bytes[..bytes.len().min(8)]);
    let trimmed = bytes.trim_ascii_start();
    let kind = match bytes {
        _ if trimmed.starts_with(b"(component") || trimmed.starts_with(b"(module") => {
            "WebAssembly text: convert it with `wasm-tools parse`"
        }
        [0x1f, 0x8b, ..] => "gzip: unpack it first",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd: unpack it first",
        [b'P', b'K', ..] => "a zip archive: unpack it first",
        [0x7f, b'E', b'L', b'F', ..] => "a native Linux program: build for wasm32-wasip2",
        [0xcf, 0xfa, 0xed, 0xfe, ..] => "a native macOS program: build for wasm32-wasip2",
        [b'M', b'Z', ..] => "a native Windows program: build for wasm32-wasip2",
        _ if trimmed.starts_with(b"<") => "HTML or XML: is the download an error page?",
        _ if trimmed.starts_with(b"{") => "JSON: is the download an error message?",
        _ if trimmed.starts_with(b"package ") => "WIT: a contract without code",
        _ => return found,
    };
    format!("{found} ({kind})")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let space = if text.is_empty() { "" } else { " " };
        write!(text, "{space}{byte:02x}").expect("a String takes all that is written to it");
        text
    })
}

/// Names for a message that stays readable: ten, then a count.
pub(super) fn list(names: impl IntoIterator<Item = impl Display>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<_> = names
        .by_ref()
        .take(10)
        .map(|name| name.to_string())
        .collect();
    match (shown.is_empty(), names.count()) {
        (true, _) => "none".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Whether a parser that gets `bytes` waits for more in the middle of something.
fn is_cut_short(bytes: &[u8]) -> bool {
    let (mut parser, mut outer, mut rest) = (Parser::new(0), Vec::new(), bytes);
    loop {
        match parser.parse(rest, false) {
            Ok(Chunk::NeedMoreData(_)) => return !rest.is_empty() || !outer.is_empty(),
            Ok(Chunk::Parsed { consumed, payload }) => {
                rest = &rest[consumed..];
                match payload {
                    Payload::ModuleSection { parser: inner, .. }
                    | Payload::ComponentSection { parser: inner, .. } => {
                        outer.push(std::mem::replace(&mut parser, inner));
                    }
                    Payload::End(_) => match outer.pop() {
                        Some(next) => parser = next,
                        None => return false,
                    },
                    _ => {}
                }
            }
            Err(_) => return false,
        }
    }
}
