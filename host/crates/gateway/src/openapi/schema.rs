//! WIT types as JSON Schema (draft 2020-12), as transcoding reads and writes them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use stoa_service::contract::types::{Case, Definition, Field, Shape, Type, TypeName};

/// The schemas of named types, each once.
#[derive(Default)]
pub(super) struct Schemas {
    by_name: BTreeMap<String, Value>,
    /// Address of a definition, in a contract that outlives this → its schema's name.
    names: HashMap<usize, String>,
}

/// JSON's spelling of a WIT name.
pub(super) fn snake_case(name: &str) -> String {
    name.replace('-', "_").to_ascii_lowercase()
}

/// An object with these fields and no others.
pub(super) fn record<'a>(fields: impl Iterator<Item = &'a Field>, schemas: &mut Schemas) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for field in fields {
        let name = snake_case(&field.name);
        if !matches!(field.ty.shape(), Some(Shape::Option(_))) {
            required.push(name.clone());
        }
        properties.insert(name, schemas.of(&field.ty));
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

impl Schemas {
    /// The schema of a type: a reference where the type has a name.
    pub(super) fn of(&mut self, ty: &Type) -> Value {
        match ty {
            Type::Bool => json!({ "type": "boolean" }),
            Type::S8 => integer("int8", i8::MIN.into(), i8::MAX.into()),
            Type::U8 => integer("uint8", 0, u8::MAX.into()),
            Type::S16 => integer("int16", i16::MIN.into(), i16::MAX.into()),
            Type::U16 => integer("uint16", 0, u16::MAX.into()),
            Type::S32 => integer("int32", i32::MIN.into(), i32::MAX.into()),
            Type::U32 => integer("uint32", 0, u32::MAX.into()),
            Type::S64 => wide(
                "int64",
                i64::MIN,
                i64::MAX.unsigned_abs(),
                "^-?(0|[1-9][0-9]*)$",
            ),
            Type::U64 => wide("uint64", 0, u64::MAX, "^(0|[1-9][0-9]*)$"),
            Type::F32 => float("float"),
            Type::F64 => float("double"),
            Type::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
            Type::String => json!({ "type": "string" }),
            Type::ErrorContext => json!(false),
            Type::Defined(definition) => match &definition.name {
                Some(name) => {
                    json!({ "$ref": format!("#/components/schemas/{}", self.name(definition, name)) })
                }
                None => self.shape(&definition.shape),
            },
        }
    }

    /// The named schemas.
    pub(super) fn finish(self) -> BTreeMap<String, Value> {
        self.by_name
    }

    /// The name of a definition's schema. Services that share a type share its
    /// schema; types that only share a name don't.
    fn name(&mut self, definition: &Arc<Definition>, name: &TypeName) -> String {
        let address = Arc::as_ptr(definition).addr();
        if let Some(known) = self.names.get(&address) {
            return known.clone();
        }
        let schema = self.shape(&definition.shape);
        let mut candidates = candidates(name);
        let free = candidates.find(|candidate| {
            self.by_name
                .get(candidate)
                .is_none_or(|other| *other == schema)
        });
        let free = free.expect("numbers don't end");
        self.by_name.insert(free.clone(), schema);
        self.names.insert(address, free.clone());
        free
    }

    fn shape(&mut self, shape: &Shape) -> Value {
        match shape {
            Shape::Record(fields) => record(fields.iter(), self),
            Shape::Variant(cases) => self.variant(cases),
            Shape::Enum(names) => one_of_names(names),
            Shape::Flags(names) => {
                json!({ "type": "array", "items": one_of_names(names), "uniqueItems": true })
            }
            Shape::Tuple(types) => self.tuple(types.iter()),
            Shape::List(Type::U8) => json!({ "type": "string", "contentEncoding": "base64" }),
            Shape::List(ty) => json!({ "type": "array", "items": self.of(ty) }),
            Shape::FixedList(ty, length) => {
                json!({ "type": "array", "items": self.of(ty), "minItems": length, "maxItems": length })
            }
            Shape::Map(Type::String, value) => {
                json!({ "type": "object", "additionalProperties": self.of(value) })
            }
            Shape::Map(Type::Char, value) => {
                let names = json!({ "minLength": 1, "maxLength": 1 });
                json!({ "type": "object", "propertyNames": names, "additionalProperties": self.of(value) })
            }
            Shape::Map(key, value) => {
                json!({ "type": "array", "items": self.tuple([key, value].into_iter()) })
            }
            // `null` would not tell none from some(none).
            Shape::Option(ty) if matches!(ty.shape(), Some(Shape::Option(_))) => {
                let some = self.of(ty);
                nullable(case("some", some))
            }
            Shape::Option(ty) => nullable(self.of(ty)),
            Shape::Result { ok, err } => {
                let case = |name: &str, ty: &Option<Type>| Case {
                    name: name.to_owned(),
                    ty: ty.clone(),
                };
                self.variant(&[case("ok", ok), case("err", err)])
            }
            // No value has such a type; the caller leaves out functions that do.
            Shape::Own(_) | Shape::Borrow(_) | Shape::Stream(_) | Shape::Future(_) => json!(false),
        }
    }

    fn tuple<'a>(&mut self, types: impl Iterator<Item = &'a Type>) -> Value {
        let items: Vec<_> = types.map(|ty| self.of(ty)).collect();
        let length = items.len();
        json!({ "type": "array", "prefixItems": items, "items": false, "minItems": length, "maxItems": length })
    }

    /// Cases without a payload are strings, the others objects with one field.
    fn variant(&mut self, cases: &[Case]) -> Value {
        let bare: Vec<_> = cases
            .iter()
            .filter(|case| case.ty.is_none())
            .map(|case| case.name.clone())
            .collect();
        let mut forms = Vec::new();
        if !bare.is_empty() {
            forms.push(one_of_names(&bare));
        }
        for Case { name, ty } in cases {
            if let Some(ty) = ty {
                forms.push(case(&snake_case(name), self.of(ty)));
            }
        }
        if forms.len() == 1 {
            forms.remove(0)
        } else {
            json!({ "oneOf": forms })
        }
    }
}

fn one_of_names(names: &[String]) -> Value {
    let names: Vec<_> = names.iter().map(|name| snake_case(name)).collect();
    json!({ "type": "string", "enum": names })
}

fn case(name: &str, payload: Value) -> Value {
    json!({ "type": "object", "properties": { name: payload }, "required": [name], "additionalProperties": false })
}

fn nullable(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn integer(format: &str, least: i64, most: i64) -> Value {
    json!({ "type": "integer", "format": format, "minimum": least, "maximum": most })
}

/// A number of any size is read; beyond 2^53 digits are written, since there a
/// number of JSON can't be told from its neighbours.
fn wide(format: &str, least: i64, most: u64, digits: &str) -> Value {
    let number = json!({ "type": "integer", "format": format, "minimum": least, "maximum": most });
    json!({ "oneOf": [number, { "type": "string", "pattern": digits }] })
}

fn float(format: &str) -> Value {
    let special = json!({ "type": "string", "enum": ["NaN", "Infinity", "-Infinity"] });
    json!({ "oneOf": [{ "type": "number", "format": format }, special] })
}

/// Names for a type's schema, the shortest first: `shop.product.Product`,
/// `shop.product.types.Product`, and then numbers.
fn candidates(name: &TypeName) -> impl Iterator<Item = String> {
    let word: String = name.name.split('-').map(capitalized).collect();
    let (package, interface) = match &name.interface {
        Some(interface) => (
            interface.package.replace(':', "."),
            interface.interface.as_str(),
        ),
        None => ("world".to_owned(), "root"),
    };
    let long = format!("{package}.{interface}.{word}");
    let numbered = long.clone();
    [format!("{package}.{word}"), long]
        .into_iter()
        .chain((2..).map(move |number| format!("{numbered}.{number}")))
}

fn capitalized(word: &str) -> String {
    let mut characters = word.chars();
    characters
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(characters)
        .collect()
}
