//! A contract as WIT text.
//!
//! Where a component imports and exports the same interface, with different
//! parts of it, the text has the union: WIT gives an interface one definition.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use semver::Version;

use super::types::{Field, Shape, Type, TypeName, escape};
use super::{Contract, Function, Interface, InterfaceName, NamedType};

type Package<'a> = BTreeMap<&'a str, Vec<&'a Interface>>;

/// The whole contract: a world named `root`, then each package.
pub(super) fn print(contract: &Contract) -> String {
    let mut text = Text::default();
    text.line("package root:component;");
    text.blank();
    text.block("world root", |text| world(text, contract));
    let mut packages: BTreeMap<(&str, Option<&Version>), Package<'_>> = BTreeMap::new();
    // The export comes first: it is whole, an import only has what is used.
    for interface in contract.exports.iter().chain(&contract.imports) {
        let InterfaceName {
            package,
            interface: name,
            version,
        } = &interface.name;
        packages
            .entry((package, version.as_ref()))
            .or_default()
            .entry(name)
            .or_default()
            .push(interface);
    }
    for ((name, version), interfaces) in packages {
        let version = version
            .map(|version| format!("@{version}"))
            .unwrap_or_default();
        text.blank();
        text.block(&format!("package {}{version}", path(name)), |text| {
            package(text, &interfaces)
        });
    }
    text.text
}

fn world(text: &mut Text, contract: &Contract) {
    for interface in &contract.imports {
        text.line(&format!("import {};", reference(&interface.name)));
    }
    types(text, None, &contract.plain_types);
    for interface in &contract.exports {
        text.line(&format!("export {};", reference(&interface.name)));
    }
    for function in &contract.plain_exports {
        text.line(&format!(
            "export {}: {};",
            escape(&function.name),
            signature(function)
        ));
    }
}

fn package(text: &mut Text, interfaces: &Package<'_>) {
    for (index, (name, views)) in interfaces.iter().enumerate() {
        if index > 0 {
            text.blank();
        }
        text.block(&format!("interface {}", escape(name)), |text| {
            interface(text, views)
        });
    }
}

fn interface(text: &mut Text, views: &[&Interface]) {
    let (mut seen_types, mut seen_functions) = (BTreeSet::new(), BTreeSet::new());
    let named = views.iter().flat_map(|view| &view.types);
    let named: Vec<_> = named
        .filter(|named| seen_types.insert(named.name()))
        .cloned()
        .collect();
    let functions = views.iter().flat_map(|view| &view.functions);
    let functions: Vec<_> = functions
        .filter(|function| seen_functions.insert(&function.name))
        .collect();
    let (members, functions): (Vec<_>, Vec<_>) = functions
        .into_iter()
        .partition(|function| function.name.starts_with('['));
    let mut of_resource: BTreeMap<&str, Vec<Member<'_>>> = BTreeMap::new();
    for member in members.into_iter().filter_map(Member::of) {
        of_resource.entry(member.resource).or_default().push(member);
    }
    types(text, views.first().map(|view| &view.name), &named);
    for named in &named {
        if let NamedType::Resource { name } = named {
            let members = of_resource.remove(name.as_str()).unwrap_or_default();
            let head = format!("resource {}", escape(name));
            text.block(&head, |text| {
                members.iter().for_each(|member| text.line(&member.wit()))
            });
        }
    }
    for function in functions {
        text.line(&format!(
            "{}: {};",
            escape(&function.name),
            signature(function)
        ));
    }
}

/// A function of a resource.
struct Member<'a> {
    /// `constructor`, `static` or `method`.
    kind: &'a str,
    resource: &'a str,
    name: &'a str,
    function: &'a Function,
}

impl<'a> Member<'a> {
    /// Reads names such as `[method]file.read` and `[constructor]file`.
    fn of(function: &'a Function) -> Option<Self> {
        let (kind, rest) = function.name.strip_prefix('[')?.split_once(']')?;
        let (resource, name) = rest.split_once('.').unwrap_or((rest, ""));
        Some(Self {
            kind,
            resource,
            name,
            function,
        })
    }

    fn wit(&self) -> String {
        let Self {
            kind,
            name,
            function,
            ..
        } = self;
        match *kind {
            "constructor" => format!("constructor({});", params(&function.params)),
            "static" => format!("{}: static {};", escape(name), signature(function)),
            // The first parameter is the resource itself.
            _ => format!(
                "{}: {};",
                escape(name),
                call(function, function.params.get(1..).unwrap_or_default())
            ),
        }
    }
}

/// Definitions and uses, but for resources.
fn types(text: &mut Text, here: Option<&InterfaceName>, named: &[NamedType]) {
    let mut uses: BTreeMap<&InterfaceName, BTreeSet<&str>> = BTreeMap::new();
    for original in named.iter().filter_map(NamedType::original) {
        // Types are written by their original names, so no use renames one.
        if let Some(interface) = original
            .interface
            .as_ref()
            .filter(|interface| Some(*interface) != here)
        {
            uses.entry(interface).or_default().insert(&original.name);
        }
    }
    for (interface, names) in uses {
        let names: Vec<_> = names.into_iter().map(escape).collect();
        text.line(&format!(
            "use {}.{{{}}};",
            relative(interface, here),
            names.join(", ")
        ));
    }
    for named in named {
        let NamedType::Value { name, ty } = named else {
            continue;
        };
        match (ty, named.original()) {
            (Type::Defined(definition), Some(original))
                if original.interface.as_ref() == here && original.name == *name =>
            {
                define(text, name, &definition.shape);
            }
            (_, Some(original)) if original.interface.as_ref() != here => {}
            _ => text.line(&format!("type {} = {ty};", escape(name))),
        }
    }
}

fn define(text: &mut Text, name: &str, shape: &Shape) {
    let head = format!("{} {}", shape.keyword(), escape(name));
    match shape {
        Shape::Record(fields) => text.block(&head, |text| {
            fields
                .iter()
                .for_each(|each| text.line(&format!("{},", field(each))))
        }),
        Shape::Variant(cases) => text.block(&head, |text| {
            for case in cases {
                let payload = case
                    .ty
                    .as_ref()
                    .map(|ty| format!("({ty})"))
                    .unwrap_or_default();
                text.line(&format!("{}{payload},", escape(&case.name)));
            }
        }),
        Shape::Enum(names) | Shape::Flags(names) => {
            text.block(&head, |text| {
                names
                    .iter()
                    .for_each(|name| text.line(&format!("{},", escape(name))))
            });
        }
        other => text.line(&format!("type {} = {other};", escape(name))),
    }
}

fn signature(function: &Function) -> String {
    call(function, &function.params)
}

fn call(function: &Function, own: &[Field]) -> String {
    let keyword = if function.is_async {
        "async func"
    } else {
        "func"
    };
    let result = function
        .result
        .as_ref()
        .map(|ty| format!(" -> {ty}"))
        .unwrap_or_default();
    format!("{keyword}({}){result}", params(own))
}

fn params(params: &[Field]) -> String {
    params.iter().map(field).collect::<Vec<_>>().join(", ")
}

fn field(field: &Field) -> String {
    format!("{}: {}", escape(&field.name), field.ty)
}

/// How text in `here` names another interface.
fn relative(interface: &InterfaceName, here: Option<&InterfaceName>) -> String {
    match here {
        Some(here) if here.package == interface.package && here.version == interface.version => {
            escape(&interface.interface)
        }
        _ => reference(interface),
    }
}

fn reference(name: &InterfaceName) -> String {
    let version = name
        .version
        .as_ref()
        .map(|version| format!("@{version}"))
        .unwrap_or_default();
    format!(
        "{}/{}{version}",
        path(&name.package),
        escape(&name.interface)
    )
}

/// A package's name, with keywords escaped.
fn path(package: &str) -> String {
    package.split(':').map(escape).collect::<Vec<_>>().join(":")
}

impl NamedType {
    /// Its name in the interface that has it.
    pub fn name(&self) -> &str {
        match self {
            Self::Value { name, .. } | Self::Resource { name } | Self::Use { name, .. } => name,
        }
    }

    /// Where it was defined, if it is more than another word for a primitive.
    fn original(&self) -> Option<&TypeName> {
        match self {
            Self::Value {
                ty: Type::Defined(definition),
                ..
            } => definition.name.as_ref(),
            Self::Use { original, .. } => Some(original),
            _ => None,
        }
    }
}

/// Indented text.
#[derive(Default)]
struct Text {
    text: String,
    depth: usize,
}

impl Text {
    fn line(&mut self, line: &str) {
        writeln!(self.text, "{:indent$}{line}", "", indent = self.depth * 2)
            .expect("a String takes all that is written to it");
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn block(&mut self, head: &str, body: impl FnOnce(&mut Self)) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.line("}");
    }
}
