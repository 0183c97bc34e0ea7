//! Types for tests, by way of a component that imports a function of them.
use std::sync::LazyLock;

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wasmtime::{Config, Engine};

use http::HeaderMap;

use super::super::{InputFault, Operation};
use stoa_engine::value::{FunctionType, Val};
use stoa_settings::{Access, Route};

/// A WIT type.
#[derive(Debug, Clone)]
pub enum T {
    /// A type that WAT writes as one word: `u32`, `string`, `error-context`.
    Word(&'static str),
    List(Box<T>),
    FixedList(Box<T>, u32),
    Map(Box<T>, Box<T>),
    Record(Vec<(String, T)>),
    Tuple(Vec<T>),
    Variant(Vec<(String, Option<T>)>),
    Enum(Vec<String>),
    Flags(Vec<String>),
    Option(Box<T>),
    Result(Option<Box<T>>, Option<Box<T>>),
    /// A resource, owned.
    Handle,
}

pub fn word(name: &'static str) -> T {
    T::Word(name)
}

pub fn list(item: T) -> T {
    T::List(item.into())
}

pub fn option(some: T) -> T {
    T::Option(some.into())
}

pub fn map(key: T, value: T) -> T {
    T::Map(key.into(), value.into())
}

pub fn result(ok: Option<T>, err: Option<T>) -> T {
    T::Result(ok.map(Box::new), err.map(Box::new))
}

pub fn record<const N: usize>(fields: [(&str, T); N]) -> T {
    T::Record(fields.map(|(name, ty)| (name.to_owned(), ty)).into())
}

pub fn variant<const N: usize>(cases: [(&str, Option<T>); N]) -> T {
    T::Variant(cases.map(|(name, ty)| (name.to_owned(), ty)).into())
}

pub fn enumeration<const N: usize>(names: [&str; N]) -> T {
    T::Enum(names.map(str::to_owned).into())
}

pub fn flags<const N: usize>(names: [&str; N]) -> T {
    T::Flags(names.map(str::to_owned).into())
}

/// `stoa:service/types.error`.
pub fn standard_error() -> T {
    let violation = record([("pointer", word("string")), ("detail", word("string"))]);
    let text = || Some(word("string"));
    variant([
        ("invalid", Some(list(violation))),
        ("not-found", text()),
        ("conflict", text()),
        ("precondition-failed", text()),
        ("unauthorized", text()),
        ("forbidden", text()),
        ("too-many-requests", text()),
        ("unavailable", text()),
    ])
}

/// The type of a function.
pub fn function(parameters: &[(&str, T)], result: Option<T>) -> FunctionType {
    let mut wat = Wat::default();
    let parameters: String = parameters
        .iter()
        .map(|(name, ty)| format!("(param {name:?} {}) ", wat.ty(ty)))
        .collect();
    let result = result
        .map(|ty| format!("(result {})", wat.ty(&ty)))
        .unwrap_or_default();
    let text = format!(
        "(component {} (import \"f\" (func {parameters}{result})))",
        wat.text
    );
    let bytes = wat::parse_str(&text).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
    let component =
        Component::new(&ENGINE, bytes).unwrap_or_else(|fault| panic!("{fault:?}\n{text}"));
    let function =
        component
            .component_type()
            .imports(&ENGINE)
            .find_map(|(name, item)| match item.ty {
                ComponentItem::ComponentFunc(function) if name == "f" => Some(function),
                _ => None,
            });
    function.expect("the component imports f")
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut config = Config::new();
    config.wasm_component_model_map(true);
    config.wasm_component_model_fixed_length_lists(true);
    config.wasm_component_model_error_context(true);
    config.wasm_component_model_async(true);
    Engine::new(&config).expect("the configuration is valid")
});

/// A route such as `GET /products/{id}`; without a method it takes any.
pub fn route(key: &str) -> Route {
    let (method, path) = match key.split_once(' ') {
        Some((method, path)) => (Some(method.to_owned()), path),
        None => (None, key),
    };
    Route {
        method,
        path: path.to_owned(),
        access: Access::Public,
        ..Route::default()
    }
}

/// `POST /` to a function with these parameters and this result.
pub fn operation(key: &str, parameters: &[(&str, T)], result: Option<T>) -> Operation {
    Operation::compile(&route(key), &function(parameters, result)).expect("the route compiles")
}

impl Operation {
    /// The parameters of a request without headers.
    pub fn plain(
        &self,
        path: &[&str],
        query: Option<&str>,
        body: &[u8],
    ) -> Result<Vec<Val>, InputFault> {
        self.decode(path, query, &HeaderMap::new(), body)
    }
}

/// Type definitions: types with names of their own must be imported.
#[derive(Default)]
struct Wat {
    text: String,
    named: usize,
}

impl Wat {
    fn ty(&mut self, ty: &T) -> String {
        match ty {
            T::Word(name) => (*name).to_owned(),
            T::List(item) => format!("(list {})", self.ty(item)),
            T::FixedList(item, length) => format!("(list {} {length})", self.ty(item)),
            T::Map(key, value) => format!("(map {} {})", self.ty(key), self.ty(value)),
            T::Tuple(items) => {
                let items: Vec<String> = items.iter().map(|item| self.ty(item)).collect();
                format!("(tuple {})", items.join(" "))
            }
            T::Option(some) => format!("(option {})", self.ty(some)),
            T::Result(ok, err) => {
                let ok = ok.as_ref().map(|ok| self.ty(ok)).unwrap_or_default();
                let err = err.as_ref().map(|err| format!("(error {})", self.ty(err)));
                format!("(result {ok} {})", err.unwrap_or_default())
            }
            T::Record(fields) => {
                let fields: String = fields
                    .iter()
                    .map(|(name, ty)| format!("(field {name:?} {}) ", self.ty(ty)))
                    .collect();
                self.name(&format!("(record {fields})"))
            }
            T::Variant(cases) => {
                let cases: String = cases
                    .iter()
                    .map(|(name, ty)| {
                        let ty = ty.as_ref().map(|ty| self.ty(ty)).unwrap_or_default();
                        format!("(case {name:?} {ty}) ")
                    })
                    .collect();
                self.name(&format!("(variant {cases})"))
            }
            T::Enum(names) => self.name(&format!("(enum {})", quoted(names))),
            T::Flags(names) => self.name(&format!("(flags {})", quoted(names))),
            T::Handle => {
                let at = self.next();
                self.text.push_str(&format!(
                    "(import \"n{at}\" (type $n{at} (sub resource)))\n"
                ));
                format!("(own $n{at})")
            }
        }
    }

    fn name(&mut self, definition: &str) -> String {
        let at = self.next();
        self.text.push_str(&format!(
            "(type $t{at} {definition})\n(import \"n{at}\" (type $n{at} (eq $t{at})))\n"
        ));
        format!("$n{at}")
    }

    fn next(&mut self) -> usize {
        self.named += 1;
        self.named
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?} ")).collect()
}
