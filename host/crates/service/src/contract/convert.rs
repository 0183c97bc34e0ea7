//! From the validator's types to ours.

use std::collections::HashMap;
use std::sync::Arc;

use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentFuncTypeId, ComponentInstanceTypeId, ComponentItem, ComponentValType,
};
use wasmparser::names::{ComponentName, ComponentNameKind, KebabString};

use super::decode::Decoded;
use super::types::{Case, Definition, Field, Shape, Type, TypeName};
use super::{Function, Interface, InterfaceName, NamedType};

/// What stands on one side of a component, imports or exports.
#[derive(Default)]
pub(super) struct Side {
    /// Named interfaces.
    pub interfaces: Vec<Interface>,
    /// Functions outside of any interface.
    pub functions: Vec<Function>,
    /// Types outside of any interface.
    pub types: Vec<NamedType>,
    /// Anything else, as `module foo`.
    pub others: Vec<String>,
}

/// Reads one component's types. Types that its imports and exports share are
/// shared in the result too.
pub(super) struct Converter<'a> {
    decoded: &'a Decoded,
    /// Where each named type was given its name, and what it is a name for.
    names: HashMap<ComponentAnyTypeId, (TypeName, ComponentAnyTypeId)>,
    /// Where chains of names and aliases end, so that each is walked once.
    originals: HashMap<ComponentAnyTypeId, ComponentAnyTypeId>,
    done: HashMap<ComponentDefinedTypeId, Type>,
}

impl<'a> Converter<'a> {
    pub(super) fn new(decoded: &'a Decoded) -> Self {
        let mut converter = Self {
            decoded,
            names: HashMap::new(),
            originals: HashMap::new(),
            done: HashMap::new(),
        };
        for (name, item) in decoded.imported().chain(decoded.exported()) {
            converter.name_types(name, item);
        }
        converter
    }

    fn name_types(&mut self, name: &str, item: &ComponentItem) {
        match item.ty {
            ComponentEntityType::Instance(id) => {
                let interface = interface_name(name, item);
                for (name, item) in &self.decoded.types[id].exports {
                    if let ComponentEntityType::Type {
                        created,
                        referenced,
                    } = item.ty
                    {
                        let name = TypeName {
                            interface: interface.clone(),
                            name: name.clone(),
                        };
                        self.names.entry(created).or_insert((name, referenced));
                    }
                }
            }
            ComponentEntityType::Type {
                created,
                referenced,
            } => {
                let name = TypeName {
                    interface: None,
                    name: name.to_owned(),
                };
                self.names.entry(created).or_insert((name, referenced));
            }
            _ => {}
        }
    }

    /// Reads imports or exports.
    pub(super) fn side<'b>(
        &mut self,
        items: impl Iterator<Item = (&'b str, &'b ComponentItem)>,
    ) -> Side {
        let mut side = Side::default();
        for (name, item) in items {
            match item.ty {
                ComponentEntityType::Instance(id) => match interface_name(name, item) {
                    Some(name) => side.interfaces.push(self.interface(name, id)),
                    None => side.others.push(format!("interface {name}")),
                },
                ComponentEntityType::Func(id) => side.functions.push(self.function(name, id)),
                ComponentEntityType::Type { created, .. } => match self.named_type(name, created) {
                    Some(NamedType::Resource { name }) => {
                        side.others.push(format!("resource {name}"))
                    }
                    Some(named) => side.types.push(named),
                    None => side.others.push(format!("type {name}")),
                },
                ComponentEntityType::Module(_) => side.others.push(format!("module {name}")),
                ComponentEntityType::Component(_) => side.others.push(format!("component {name}")),
                ComponentEntityType::Value(_) => side.others.push(format!("value {name}")),
            }
        }
        side
    }

    fn interface(&mut self, name: InterfaceName, id: ComponentInstanceTypeId) -> Interface {
        let (mut functions, mut types) = (Vec::new(), Vec::new());
        for (name, item) in &self.decoded.types[id].exports {
            match item.ty {
                ComponentEntityType::Func(id) => functions.push(self.function(name, id)),
                ComponentEntityType::Type { created, .. } => {
                    types.extend(self.named_type(name, created))
                }
                // The validator admits it, WIT has no word for it, no call needs it.
                _ => {}
            }
        }
        Interface::new(name, functions, types)
    }

    fn named_type(&mut self, name: &str, created: ComponentAnyTypeId) -> Option<NamedType> {
        let name = name.to_owned();
        match created {
            ComponentAnyTypeId::Defined(id) => Some(NamedType::Value {
                name,
                ty: self.defined(id),
            }),
            ComponentAnyTypeId::Resource(_) => {
                let original = self.original(created);
                match self
                    .name(original)
                    .filter(|original| self.name(created) != Some(*original))
                {
                    Some(original) => Some(NamedType::Use {
                        name,
                        original: original.clone(),
                    }),
                    None => Some(NamedType::Resource { name }),
                }
            }
            _ => None,
        }
    }

    fn function(&mut self, name: &str, id: ComponentFuncTypeId) -> Function {
        let ty = &self.decoded.types[id];
        Function {
            name: name.to_owned(),
            is_async: ty.async_,
            params: ty
                .params
                .iter()
                .map(|(name, ty)| Field {
                    name: name.to_string(),
                    ty: self.value(ty),
                })
                .collect(),
            result: ty.result.as_ref().map(|ty| self.value(ty)),
        }
    }

    fn value(&mut self, ty: &ComponentValType) -> Type {
        match ty {
            ComponentValType::Primitive(primitive) => self::primitive(*primitive),
            ComponentValType::Type(id) => self.defined(*id),
        }
    }

    fn optional(&mut self, ty: Option<&ComponentValType>) -> Option<Type> {
        ty.map(|ty| self.value(ty))
    }

    fn defined(&mut self, id: ComponentDefinedTypeId) -> Type {
        let original = self.original(ComponentAnyTypeId::Defined(id));
        let ComponentAnyTypeId::Defined(id) = original else {
            unreachable!("an alias is of the kind of its type")
        };
        if let Some(done) = self.done.get(&id) {
            return done.clone();
        }
        let name = self.name(original).cloned();
        let decoded = self.decoded;
        let ty = match &decoded.types[id] {
            ComponentDefinedType::Primitive(primitive) => self::primitive(*primitive),
            defined => Type::Defined(Arc::new(Definition::new(name, self.shape(defined)))),
        };
        self.done.insert(id, ty.clone());
        ty
    }

    fn shape(&mut self, ty: &ComponentDefinedType) -> Shape {
        match ty {
            ComponentDefinedType::Record(record) => {
                let fields = record.fields.iter();
                Shape::Record(
                    fields
                        .map(|(name, ty)| Field {
                            name: name.to_string(),
                            ty: self.value(ty),
                        })
                        .collect(),
                )
            }
            ComponentDefinedType::Variant(variant) => {
                let cases = variant.cases.iter();
                Shape::Variant(
                    cases
                        .map(|(name, case)| Case {
                            name: name.to_string(),
                            ty: self.optional(case.ty.as_ref()),
                        })
                        .collect(),
                )
            }
            ComponentDefinedType::Enum(names) => {
                Shape::Enum(names.iter().map(KebabString::to_string).collect())
            }
            ComponentDefinedType::Flags(names) => {
                Shape::Flags(names.iter().map(KebabString::to_string).collect())
            }
            ComponentDefinedType::Tuple(tuple) => {
                Shape::Tuple(tuple.types.iter().map(|ty| self.value(ty)).collect())
            }
            ComponentDefinedType::List { element, .. } => Shape::List(self.value(element)),
            ComponentDefinedType::FixedLengthList {
                element, length, ..
            } => Shape::FixedList(self.value(element), *length),
            ComponentDefinedType::Map { key, value, .. } => {
                Shape::Map(self.value(key), self.value(value))
            }
            ComponentDefinedType::Option { ty, .. } => Shape::Option(self.value(ty)),
            ComponentDefinedType::Result { ok, err, .. } => Shape::Result {
                ok: self.optional(ok.as_ref()),
                err: self.optional(err.as_ref()),
            },
            ComponentDefinedType::Own(id) => {
                Shape::Own(self.resource(ComponentAnyTypeId::Resource(*id)))
            }
            ComponentDefinedType::Borrow(id) => {
                Shape::Borrow(self.resource(ComponentAnyTypeId::Resource(*id)))
            }
            ComponentDefinedType::Stream { ty, .. } => Shape::Stream(self.optional(ty.as_ref())),
            ComponentDefinedType::Future { ty, .. } => Shape::Future(self.optional(ty.as_ref())),
            ComponentDefinedType::Primitive(_) => unreachable!("primitives are no definitions"),
        }
    }

    fn resource(&mut self, id: ComponentAnyTypeId) -> String {
        let original = self.original(id);
        // A resource without a name is one that the component keeps to itself.
        self.name(original)
            .map_or_else(|| "resource".to_owned(), |name| name.name.clone())
    }

    fn name(&self, id: ComponentAnyTypeId) -> Option<&TypeName> {
        self.names.get(&id).map(|(name, _)| name)
    }

    /// Follows names and aliases to where the type was first named, or to the
    /// given type itself if it never was.
    fn original(&mut self, id: ComponentAnyTypeId) -> ComponentAnyTypeId {
        let (mut found, mut next) = (id, Some(id));
        while let Some(inner) = next {
            if let Some(known) = self.originals.get(&inner) {
                found = if self.names.contains_key(known) {
                    *known
                } else {
                    found
                };
                break;
            }
            let named = self.names.get(&inner);
            found = if named.is_some() { inner } else { found };
            let referenced = named
                .map(|(_, referenced)| *referenced)
                .filter(|referenced| *referenced != inner);
            next = referenced.or_else(|| self.decoded.types.peel_alias(inner));
        }
        self.originals.insert(id, found);
        found
    }
}

/// The interface that an import or export is, if it is a named one.
fn interface_name(name: &str, item: &ComponentItem) -> Option<InterfaceName> {
    let parsed = ComponentName::new(name, 0).ok()?;
    let ComponentNameKind::Interface(parts) = parsed.kind() else {
        return None;
    };
    Some(InterfaceName {
        package: format!("{}:{}", parts.namespace(), parts.package()),
        interface: parts.interface().to_string(),
        version: parts.version(item.version_suffix.as_deref()).ok()?,
    })
}

fn primitive(ty: PrimitiveValType) -> Type {
    match ty {
        PrimitiveValType::Bool => Type::Bool,
        PrimitiveValType::S8 => Type::S8,
        PrimitiveValType::U8 => Type::U8,
        PrimitiveValType::S16 => Type::S16,
        PrimitiveValType::U16 => Type::U16,
        PrimitiveValType::S32 => Type::S32,
        PrimitiveValType::U32 => Type::U32,
        PrimitiveValType::S64 => Type::S64,
        PrimitiveValType::U64 => Type::U64,
        PrimitiveValType::F32 => Type::F32,
        PrimitiveValType::F64 => Type::F64,
        PrimitiveValType::Char => Type::Char,
        PrimitiveValType::String => Type::String,
        PrimitiveValType::ErrorContext => Type::ErrorContext,
    }
}
