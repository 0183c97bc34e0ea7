//! Whether one service's export can meet another's import.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::fault::list;
use super::types::{Case, Field, Shape, Type};
use super::{Contract, Function, Interface, InterfaceName};

#[cfg(test)]
mod tests;

/// Checks that `export` of `provider` can stand for `import` of `consumer`:
/// a compatible version, and each imported function with the very same
/// parameters and result. Functions that only the export has don't matter.
///
/// The message says what differs, function by function, as seen from the
/// import; the caller knows and adds which services the two sides are.
pub fn provides(
    provider: &Contract,
    export: &InterfaceName,
    consumer: &Contract,
    import: &InterfaceName,
) -> Result<(), String> {
    let exported = find(&provider.exports, export)
        .ok_or_else(|| missing("exported", export, &provider.exports))?;
    let imported = find(&consumer.imports, import)
        .ok_or_else(|| missing("imported", import, &consumer.imports))?;
    if !import.compatible_with(export) {
        return Err(format!(
            "{import} is imported, {export} is exported: the versions are not compatible"
        ));
    }
    if let Some(reason) = imported.handles.as_ref().or(exported.handles.as_ref()) {
        return Err(format!(
            "{import} can't be linked between services: {reason}"
        ));
    }
    let functions = exported.functions.iter();
    let functions = functions
        .map(|function| (function.name.as_str(), function))
        .collect();
    let mut comparison = Comparison {
        functions,
        equal: HashSet::new(),
    };
    let differing = imported
        .functions
        .iter()
        .filter_map(|function| comparison.function(function));
    let faults: Vec<_> = differing.take(MOST_FAULTS).collect();
    if faults.is_empty() {
        return Ok(());
    }
    let faults = faults.join("; ");
    Err(format!(
        "{import} as imported and {export} as exported differ: {faults}"
    ))
}

/// Functions that a message names; whoever repairs ten sees the next ones.
const MOST_FAULTS: usize = 10;

fn find<'a>(interfaces: &'a [Interface], name: &InterfaceName) -> Option<&'a Interface> {
    interfaces.iter().find(|interface| interface.name == *name)
}

fn missing(how: &str, name: &InterfaceName, interfaces: &[Interface]) -> String {
    let there = list(interfaces.iter().map(|interface| &interface.name));
    format!("{name} is not {how}; {how} are: {there}")
}

/// Compares the functions of two interfaces, and their types by structure.
struct Comparison<'a> {
    /// What is exported, by name.
    functions: HashMap<&'a str, &'a Function>,
    /// Pairs of definitions that were found equal. Each is looked at once:
    /// spelled out, a small file can describe an enormous type.
    equal: HashSet<(usize, usize)>,
}

impl Comparison<'_> {
    fn function(&mut self, import: &Function) -> Option<String> {
        let name = &import.name;
        let Some(export) = self.functions.get(name.as_str()).copied() else {
            return Some(format!("function {name} is not exported"));
        };
        let fault = asyncness(import, export)
            .or_else(|| self.params(&import.params, &export.params))
            .or_else(|| {
                within(
                    "the result",
                    self.optional(import.result.as_ref(), export.result.as_ref()),
                )
            })?;
        Some(format!("function {name}: {fault}"))
    }

    fn params(&mut self, import: &[Field], export: &[Field]) -> Option<String> {
        let names = |params: &[Field]| list(params.iter().map(|param| &param.name));
        if import.len() != export.len() {
            return Some(sides("the parameters are", names(import), names(export)));
        }
        let mut pairs = import.iter().zip(export).enumerate();
        pairs.find_map(|(index, (import, export))| {
            let place = format!("parameter {}", index + 1);
            if import.name != export.name {
                return Some(sides(
                    &format!("{place} is called"),
                    &import.name,
                    &export.name,
                ));
            }
            within(
                &format!("{place} `{}`", import.name),
                self.differs(&import.ty, &export.ty),
            )
        })
    }

    /// What differs, as the rest of a sentence about the place: ` is u32 in …`
    /// or `: record line: …`.
    fn differs(&mut self, import: &Type, export: &Type) -> Option<String> {
        let (Type::Defined(a), Type::Defined(b)) = (import, export) else {
            let same = std::mem::discriminant(import) == std::mem::discriminant(export);
            return if same {
                None
            } else {
                Some(sides(" is", whole(import), whole(export)))
            };
        };
        let pair = (Arc::as_ptr(a).addr(), Arc::as_ptr(b).addr());
        if self.equal.contains(&pair) {
            return None;
        }
        if std::mem::discriminant(&a.shape) != std::mem::discriminant(&b.shape) {
            return Some(sides(" is", whole(import), whole(export)));
        }
        match self.shapes(&a.shape, &b.shape) {
            Some(fault) => Some(format!(": {}{fault}", kind(import))),
            None => {
                self.equal.insert(pair);
                None
            }
        }
    }

    /// What differs between two shapes of one kind, after the kind's name.
    fn shapes(&mut self, import: &Shape, export: &Shape) -> Option<String> {
        match (import, export) {
            (Shape::Record(a), Shape::Record(b)) => self.fields(a, b),
            (Shape::Variant(a), Shape::Variant(b)) => self.cases(a, b),
            (Shape::Enum(a), Shape::Enum(b)) => names("case", a, b),
            (Shape::Flags(a), Shape::Flags(b)) => names("flag", a, b),
            (Shape::Tuple(a), Shape::Tuple(b)) => self.tuples(a, b),
            (Shape::FixedList(_, a), Shape::FixedList(_, b)) if a != b => Some(sides(
                " has",
                format!("{a} elements"),
                format!("{b} elements"),
            )),
            (Shape::List(a), Shape::List(b)) | (Shape::FixedList(a, _), Shape::FixedList(b, _)) => {
                within(": the element", self.differs(a, b))
            }
            (Shape::Option(a), Shape::Option(b)) => within(": the value", self.differs(a, b)),
            (Shape::Map(ka, va), Shape::Map(kb, vb)) => within(": the key", self.differs(ka, kb))
                .or_else(|| within(": the value", self.differs(va, vb))),
            (Shape::Result { ok: oa, err: ea }, Shape::Result { ok: ob, err: eb }) => {
                within(": ok", self.optional(oa.as_ref(), ob.as_ref()))
                    .or_else(|| within(": err", self.optional(ea.as_ref(), eb.as_ref())))
            }
            // Own, borrow, stream and future: no two stores share one.
            _ => Some(" can't leave its instance".to_owned()),
        }
    }

    fn tuples(&mut self, import: &[Type], export: &[Type]) -> Option<String> {
        if import.len() != export.len() {
            let elements = |types: &[Type]| format!("{} elements", types.len());
            return Some(sides(" has", elements(import), elements(export)));
        }
        let mut pairs = import.iter().zip(export).enumerate();
        pairs.find_map(|(index, (a, b))| {
            within(&format!(": element {}", index + 1), self.differs(a, b))
        })
    }

    fn fields(&mut self, import: &[Field], export: &[Field]) -> Option<String> {
        let field_names = |fields: &[Field]| {
            fields
                .iter()
                .map(|field| field.name.clone())
                .collect::<Vec<_>>()
        };
        names("field", &field_names(import), &field_names(export)).or_else(|| {
            let mut pairs = import.iter().zip(export);
            pairs.find_map(|(a, b)| {
                within(&format!(": field `{}`", a.name), self.differs(&a.ty, &b.ty))
            })
        })
    }

    fn cases(&mut self, import: &[Case], export: &[Case]) -> Option<String> {
        let case_names = |cases: &[Case]| {
            cases
                .iter()
                .map(|case| case.name.clone())
                .collect::<Vec<_>>()
        };
        names("case", &case_names(import), &case_names(export)).or_else(|| {
            let mut pairs = import.iter().zip(export);
            pairs.find_map(|(a, b)| {
                within(
                    &format!(": case `{}`", a.name),
                    self.optional(a.ty.as_ref(), b.ty.as_ref()),
                )
            })
        })
    }

    fn optional(&mut self, import: Option<&Type>, export: Option<&Type>) -> Option<String> {
        match (import, export) {
            (None, None) => None,
            (Some(a), Some(b)) => self.differs(a, b),
            (a, b) => {
                let side = |ty: Option<&Type>| ty.map_or_else(|| "nothing".to_owned(), whole);
                Some(sides(" is", side(a), side(b)))
            }
        }
    }
}

fn asyncness(import: &Function, export: &Function) -> Option<String> {
    let word = |function: &Function| {
        if function.is_async {
            "async"
        } else {
            "not async"
        }
    };
    (import.is_async != export.is_async).then(|| sides("it is", word(import), word(export)))
}

/// How the names of two records, variants, enums or flags differ.
fn names(what: &str, import: &[String], export: &[String]) -> Option<String> {
    if import == export {
        return None;
    }
    let only = |these: &[String], those: &[String]| {
        let those: HashSet<_> = those.iter().collect();
        these.iter().find(|name| !those.contains(name)).cloned()
    };
    Some(match (only(import, export), only(export, import)) {
        (Some(wanted), Some(found)) => {
            format!(" has the {what} `{wanted}` in the import, `{found}` in the export")
        }
        (Some(wanted), None) => format!(" has no {what} `{wanted}` in the export"),
        (None, Some(found)) => format!(" has the {what} `{found}` only in the export"),
        (None, None) => sides(
            &format!(" has the {what}s in the order"),
            list(import),
            list(export),
        ),
    })
}

fn sides(what: &str, import: impl fmt::Display, export: impl fmt::Display) -> String {
    format!("{what} {import} in the import, {export} in the export")
}

fn within(place: &str, fault: Option<String>) -> Option<String> {
    fault.map(|fault| format!("{place}{fault}"))
}

/// A type as WIT writes it; the keyword comes before a name: `result<u32, string>`,
/// `record line`.
fn whole(ty: &Type) -> String {
    match ty {
        Type::Defined(definition) if definition.name.is_none() => {
            let mut text = Bounded(String::new());
            match write!(text, "{ty}") {
                Ok(()) => text.0,
                Err(_) => format!("{}…", text.0),
            }
        }
        _ => kind(ty),
    }
}

/// Text of a length that a message bears: spelled out, a type may be enormous.
struct Bounded(String);

impl Bounded {
    /// Bytes.
    const MOST: usize = 200;
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > Self::MOST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// A type as a message names it on the way to a part of it: `record line`, `list`, `u32`.
fn kind(ty: &Type) -> String {
    match ty {
        Type::Defined(definition) => match &definition.name {
            Some(name) => format!("{} {}", definition.shape.keyword(), name.name),
            None => definition.shape.keyword().to_owned(),
        },
        primitive => primitive.to_string(),
    }
}
