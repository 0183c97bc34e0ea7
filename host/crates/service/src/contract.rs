//! What the host knows of a component's contract.
//!
//! Read from the component's bytes alone, before anything is compiled, so that
//! a deploy can be refused within milliseconds. Knows nothing of the runtime,
//! of other services, or of what the host offers.

use semver::Version;

use self::convert::{Converter, Side};
use self::decode::{Concurrency, Decoded, decode};
pub use self::fault::{ContractFault, FaultCode};
pub use self::name::InterfaceName;
pub use self::producers::Producers;
use self::types::{Field, Type, TypeName};
use stoa_settings::FunctionName;

pub mod compat;
mod convert;
mod decode;
mod fault;
mod name;
mod producers;
#[cfg(test)]
mod tests;
pub mod types;
mod wit;

/// What a component imports and exports.
#[derive(Debug)]
pub struct Contract {
    imports: Vec<Interface>,
    exports: Vec<Interface>,
    plain_exports: Vec<Function>,
    plain_types: Vec<NamedType>,
    concurrency: Concurrency,
    producers: Producers,
}

/// One imported or exported interface, with those of its items that the
/// component names.
#[derive(Debug)]
pub struct Interface {
    /// Its name.
    pub name: InterfaceName,
    /// Its functions.
    pub functions: Vec<Function>,
    /// Its types.
    pub types: Vec<NamedType>,
    /// Why the interface can't be linked between services, if it can't: the
    /// function and the type that belongs to one instance's store.
    pub handles: Option<String>,
}

/// A function of a contract.
#[derive(Debug)]
pub struct Function {
    /// Its name; methods are called `[method]resource.name`.
    pub name: String,
    /// Whether it is an `async func`.
    pub is_async: bool,
    /// Its parameters, in order.
    pub params: Vec<Field>,
    /// Its result, if it has one.
    pub result: Option<Type>,
}

/// A type under the name that an interface gives it.
#[derive(Debug, Clone)]
pub enum NamedType {
    /// A type of values, defined here or used from elsewhere.
    Value {
        /// Its name here.
        name: String,
        /// What it is, with the name of its definition.
        ty: Type,
    },
    /// A resource that is defined here.
    Resource {
        /// Its name.
        name: String,
    },
    /// A resource that is defined elsewhere.
    Use {
        /// Its name here.
        name: String,
        /// Its definition.
        original: TypeName,
    },
}

/// Which versions of `wasi:http` a component serves by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServesHttp {
    /// It exports `wasi:http/incoming-handler@0.2.x`.
    pub p2: bool,
    /// It exports `wasi:http/handler@0.3.x`.
    pub p3: bool,
}

// === impl Contract ===

impl Contract {
    /// Reads the contract of a binary component.
    ///
    /// Refuses what is no valid component, and a component with an import that
    /// nothing can meet because it is in no named interface.
    pub fn read(bytes: &[u8]) -> Result<Self, ContractFault> {
        let decoded = decode(bytes)?;
        let mut converter = Converter::new(&decoded);
        let imports = converter.side(decoded.imported());
        let exports = converter.side(decoded.exported());
        refuse_packages(&decoded, &exports)?;
        refuse_plain_imports(&imports)?;
        Ok(Self {
            imports: imports.interfaces,
            exports: exports.interfaces,
            plain_exports: exports.functions,
            plain_types: imports.types.into_iter().chain(exports.types).collect(),
            concurrency: decoded.concurrency,
            producers: decoded.producers,
        })
    }

    /// The interfaces that it needs.
    pub fn imports(&self) -> &[Interface] {
        &self.imports
    }

    /// The interfaces that it provides.
    pub fn exports(&self) -> &[Interface] {
        &self.exports
    }

    /// Functions that it exports outside of any interface; no route, link or
    /// queue leads to them.
    pub fn plain_exports(&self) -> &[Function] {
        &self.plain_exports
    }

    /// The exported function that a route, queue or schedule names, in the
    /// newest version if there are several.
    pub fn function(&self, name: &FunctionName) -> Option<(&Interface, &Function)> {
        self.exports
            .iter()
            .filter(|interface| interface.name.unversioned() == name.interface)
            .max_by_key(|interface| &interface.name.version)
            .and_then(|interface| Some((interface, interface.function(&name.function)?)))
    }

    /// How it serves HTTP by itself.
    pub fn serves_http(&self) -> ServesHttp {
        let exports = |interface: &str, minor: u64| {
            let version = |version: &Version| {
                (version.major, version.minor) == (0, minor) && version.pre.is_empty()
            };
            self.exports.iter().any(|export| {
                export.name.is("wasi:http", interface)
                    && export.name.version.as_ref().is_some_and(version)
            })
        };
        ServesHttp {
            p2: exports("incoming-handler", 2),
            p3: exports("handler", 3),
        }
    }

    /// Whether it needs the engine with concurrency support: async functions,
    /// streams or futures anywhere in it, or any part of WASI 0.3.
    pub fn is_async(&self) -> bool {
        let is_p3 = |Interface { name, .. }: &Interface| {
            name.package.starts_with("wasi:")
                && name
                    .version
                    .as_ref()
                    .is_some_and(|version| (version.major, version.minor) == (0, 3))
        };
        self.concurrency == Concurrency::Needed
            || self.imports.iter().chain(&self.exports).any(is_p3)
    }

    /// What made it.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// The contract as WIT text: a world, and the packages that it needs.
    pub fn to_wit(&self) -> String {
        wit::print(self)
    }
}

/// A WIT package in binary form has nothing but exported component types.
fn refuse_packages(decoded: &Decoded, exports: &Side) -> Result<(), ContractFault> {
    let only_types = !exports.others.is_empty()
        && exports
            .others
            .iter()
            .all(|other| other.starts_with("type "));
    let nothing_else =
        exports.interfaces.is_empty() && exports.functions.is_empty() && decoded.imports.is_empty();
    if only_types && nothing_else {
        let message = "expected a component, found a WIT package: a contract without code. \
                       Deploy the component that implements it";
        return Err(ContractFault::new(FaultCode::WitPackage, message));
    }
    Ok(())
}

fn refuse_plain_imports(imports: &Side) -> Result<(), ContractFault> {
    let functions = imports
        .functions
        .iter()
        .map(|function| format!("function {}", function.name));
    let mut plain = functions.chain(imports.others.iter().cloned()).peekable();
    if plain.peek().is_none() {
        return Ok(());
    }
    let message = format!(
        "expected every import in a named interface such as shop:product/products, found {}: \
         nothing can meet it; put it into an interface of a package",
        fault::list(plain)
    );
    Err(ContractFault::new(FaultCode::PlainImport, message))
}

// === impl Interface ===

impl Interface {
    fn new(name: InterfaceName, functions: Vec<Function>, types: Vec<NamedType>) -> Self {
        let resource = types.iter().find_map(|named| match named {
            NamedType::Resource { name } | NamedType::Use { name, .. } => {
                Some(format!("it has the resource {name}"))
            }
            NamedType::Value { .. } => None,
        });
        let handles = functions.iter().find_map(Function::handle).or(resource);
        Self {
            name,
            functions,
            types,
            handles,
        }
    }

    /// Whether it has nothing but types of values: as an import it needs no link.
    pub fn is_types_only(&self) -> bool {
        self.functions.is_empty() && self.handles.is_none()
    }

    /// The function with this name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }
}

// === impl Function ===

impl Function {
    /// Whether all it takes and gives are plain values, which can be copied
    /// from one store to another.
    pub fn is_plain(&self) -> bool {
        self.handle().is_none()
    }

    /// Why the function can't be called from outside of its store, if it can't.
    fn handle(&self) -> Option<String> {
        let param = self
            .params
            .iter()
            .find_map(|param| Some((format!("parameter {}", param.name), param.ty.handle()?)));
        let result = || Some(("the result".to_owned(), self.result.as_ref()?.handle()?));
        let (place, handle) = param.or_else(result)?;
        Some(format!(
            "function {}: {place} has the type {handle}, which can't leave its instance",
            self.name
        ))
    }
}
