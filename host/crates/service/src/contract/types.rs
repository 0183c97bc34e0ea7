//! The types of a contract.
//!
//! A type is a tree of shared definitions, at most 100 deep (the validator's
//! limit), so that walking it by recursion is safe.

use std::fmt;
use std::sync::Arc;

use super::InterfaceName;

/// A WIT type.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are WIT's own")]
pub enum Type {
    Bool,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F32,
    F64,
    Char,
    String,
    ErrorContext,
    /// A type that is made of others, named or not.
    Defined(Arc<Definition>),
}

/// A type that is made of others.
#[derive(Debug)]
pub struct Definition {
    /// Its name, and where it was first defined; `None` for `list<u8>` and the like.
    pub name: Option<TypeName>,
    /// What it is made of.
    pub shape: Shape,
    /// The first thing in it that belongs to one instance's store, such as
    /// `resource descriptor`; `None` for plain values.
    pub(super) handle: Option<String>,
}

/// The name of a type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeName {
    /// The interface that defines it; `None` for a type of the world itself.
    pub interface: Option<InterfaceName>,
    /// Its name there, in kebab-case.
    pub name: String,
}

/// What a defined type is made of.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names are WIT's own")]
pub enum Shape {
    Record(Vec<Field>),
    Variant(Vec<Case>),
    Enum(Vec<String>),
    Flags(Vec<String>),
    Tuple(Vec<Type>),
    List(Type),
    FixedList(Type, u32),
    Map(Type, Type),
    Option(Type),
    Result { ok: Option<Type>, err: Option<Type> },
    Own(String),
    Borrow(String),
    Stream(Option<Type>),
    Future(Option<Type>),
}

/// A field of a record, or a parameter of a function.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name, in kebab-case.
    pub name: String,
    /// What it holds.
    pub ty: Type,
}

/// A case of a variant.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name, in kebab-case.
    pub name: String,
    /// What it carries, if it does.
    pub ty: Option<Type>,
}

// === impl Type ===

impl Type {
    /// What the type is made of; `None` for a primitive.
    pub fn shape(&self) -> Option<&Shape> {
        match self {
            Self::Defined(definition) => Some(&definition.shape),
            _ => None,
        }
    }

    /// What of the type belongs to one instance's store and can't leave it:
    /// `resource descriptor`, `stream<u8>`; `None` for plain values.
    pub fn handle(&self) -> Option<&str> {
        match self {
            Self::ErrorContext => Some("error-context"),
            Self::Defined(definition) => definition.handle.as_deref(),
            _ => None,
        }
    }

    /// The keyword of a primitive type.
    fn keyword(&self) -> Option<&'static str> {
        Some(match self {
            Self::Bool => "bool",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::S8 => "s8",
            Self::S16 => "s16",
            Self::S32 => "s32",
            Self::S64 => "s64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Char => "char",
            Self::String => "string",
            Self::ErrorContext => "error-context",
            Self::Defined(_) => return None,
        })
    }
}

/// As WIT writes it where it is used: a named type by its name.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defined(definition) => match &definition.name {
                Some(name) => f.write_str(&escape(&name.name)),
                None => definition.shape.fmt(f),
            },
            primitive => f.write_str(primitive.keyword().unwrap_or_default()),
        }
    }
}

// === impl Definition ===

impl Definition {
    pub(super) fn new(name: Option<TypeName>, shape: Shape) -> Self {
        let handle = shape.handle();
        Self {
            name,
            shape,
            handle,
        }
    }
}

// === impl Shape ===

impl Shape {
    /// WIT's keyword: `record`.
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Record(_) => "record",
            Self::Variant(_) => "variant",
            Self::Enum(_) => "enum",
            Self::Flags(_) => "flags",
            Self::Tuple(_) => "tuple",
            Self::List(_) | Self::FixedList(..) => "list",
            Self::Map(..) => "map",
            Self::Option(_) => "option",
            Self::Result { .. } => "result",
            Self::Own(_) | Self::Borrow(_) => "resource",
            Self::Stream(_) => "stream",
            Self::Future(_) => "future",
        }
    }

    fn handle(&self) -> Option<String> {
        match self {
            Self::Own(name) | Self::Borrow(name) => Some(format!("resource {name}")),
            // A payload without a name may be huge when it is written out.
            Self::Stream(ty) | Self::Future(ty) => match ty {
                Some(Type::Defined(definition)) if definition.name.is_none() => {
                    Some(self.keyword().to_owned())
                }
                _ => Some(self.to_string()),
            },
            _ => self
                .parts()
                .into_iter()
                .find_map(Type::handle)
                .map(str::to_owned),
        }
    }

    /// The types that it is made of.
    fn parts(&self) -> Vec<&Type> {
        match self {
            Self::Record(fields) => fields.iter().map(|field| &field.ty).collect(),
            Self::Variant(cases) => cases.iter().filter_map(|case| case.ty.as_ref()).collect(),
            Self::Tuple(types) => types.iter().collect(),
            Self::List(ty) | Self::FixedList(ty, _) | Self::Option(ty) => vec![ty],
            Self::Map(key, value) => vec![key, value],
            Self::Result { ok, err } => ok.iter().chain(err).collect(),
            Self::Stream(ty) | Self::Future(ty) => ty.iter().collect(),
            Self::Enum(_) | Self::Flags(_) | Self::Own(_) | Self::Borrow(_) => Vec::new(),
        }
    }
}

/// As WIT writes a type without a name; shapes that always have one in WIT
/// are shown by their keyword.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keyword = self.keyword();
        match self {
            Self::Record(_) | Self::Variant(_) | Self::Enum(_) | Self::Flags(_) => {
                f.write_str(keyword)
            }
            Self::Tuple(types) => {
                // One after the other: a writer may end what is enormous.
                f.write_str("tuple<")?;
                for (at, ty) in types.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{ty}")?;
                }
                f.write_str(">")
            }
            Self::List(ty) | Self::Option(ty) => write!(f, "{keyword}<{ty}>"),
            Self::FixedList(ty, length) => write!(f, "list<{ty}, {length}>"),
            Self::Map(key, value) => write!(f, "map<{key}, {value}>"),
            Self::Result {
                ok: None,
                err: None,
            } => f.write_str("result"),
            Self::Result {
                ok: Some(ok),
                err: None,
            } => write!(f, "result<{ok}>"),
            Self::Result {
                ok: None,
                err: Some(err),
            } => write!(f, "result<_, {err}>"),
            Self::Result {
                ok: Some(ok),
                err: Some(err),
            } => write!(f, "result<{ok}, {err}>"),
            Self::Own(name) => f.write_str(&escape(name)),
            Self::Borrow(name) => write!(f, "borrow<{}>", escape(name)),
            Self::Stream(Some(ty)) | Self::Future(Some(ty)) => write!(f, "{keyword}<{ty}>"),
            Self::Stream(None) | Self::Future(None) => f.write_str(keyword),
        }
    }
}

/// A name as WIT writes it: keywords get a `%`.
pub(super) fn escape(name: &str) -> String {
    if KEYWORDS.contains(&name) {
        format!("%{name}")
    } else {
        name.to_owned()
    }
}

/// From the WIT grammar.
const KEYWORDS: &[&str] = &[
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
];
