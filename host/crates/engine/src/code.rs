//! A component that is compiled and linked: what it exports, ready to instantiate.

use std::sync::Arc;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};
use wasmtime_wasi_http::{p2, p3};

use super::config::Flavor;
use super::state::State;
use super::value::FunctionType;

/// Position of an exported function in [`Code::functions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FunctionIndex(pub(super) usize);

/// A function that the component exports in an interface.
pub struct ExportedFunction {
    /// With its version, as the component has it: `shop:product/products@0.1.0`.
    pub interface: String,
    /// `get`.
    pub function: String,
    /// Its parameters and results.
    pub ty: FunctionType,
    pub(super) index: ComponentExportIndex,
}

/// Which HTTP handler the component exports.
#[derive(Clone)]
pub(super) enum HttpExport {
    None,
    P2(p2::bindings::ProxyIndices),
    P3(p3::bindings::ServiceIndices),
}

/// A linked component. Instances of it are made by [`super::Instance::new`].
pub struct Code {
    pub(super) pre: InstancePre<State>,
    pub(super) http: HttpExport,
    flavor: Flavor,
    functions: Vec<ExportedFunction>,
    /// Keeps the native code findable for other services.
    _component: Arc<Component>,
}

impl Code {
    pub(super) fn new(
        pre: InstancePre<State>,
        component: Arc<Component>,
        flavor: Flavor,
    ) -> wasmtime::Result<Self> {
        let http = http_export(&pre, flavor);
        let functions = exported_functions(&pre);
        Ok(Self {
            pre,
            http,
            flavor,
            functions,
            _component: component,
        })
    }

    /// Whether calls of one instance may overlap.
    pub fn is_async(&self) -> bool {
        self.flavor == Flavor::Async
    }

    /// Whether it exports a `wasi:http` handler.
    pub fn serves_http(&self) -> bool {
        !matches!(self.http, HttpExport::None)
    }

    /// The functions that it exports in interfaces.
    pub fn functions(&self) -> &[ExportedFunction] {
        &self.functions
    }

    /// The functions that it exports, with their places.
    pub fn functions_indexed(&self) -> impl Iterator<Item = (FunctionIndex, &ExportedFunction)> {
        self.functions
            .iter()
            .enumerate()
            .map(|(index, function)| (FunctionIndex(index), function))
    }

    /// The function at `index`.
    pub fn function(&self, index: FunctionIndex) -> &ExportedFunction {
        &self.functions[index.0]
    }

    /// The type of a function that it imports of an interface in any version.
    pub fn imported(&self, interface: &str, function: &str) -> Option<FunctionType> {
        let (component, wanted) = (self.pre.component(), unversioned(interface));
        let engine = component.engine();
        let imports = component.component_type();
        let import = imports
            .imports(engine)
            .find(|(name, _)| unversioned(name) == wanted);
        let ComponentItem::ComponentInstance(instance) = import?.1.ty else {
            return None;
        };
        match instance.get_export(engine, function)?.ty {
            ComponentItem::ComponentFunc(ty) => Some(ty),
            _ => None,
        }
    }

    /// Finds a function of an interface in any version; of several the last one.
    pub fn find(&self, interface: &str, function: &str) -> Option<FunctionIndex> {
        let wanted = unversioned(interface);
        self.functions
            .iter()
            .rposition(|f| f.function == function && unversioned(&f.interface) == wanted)
            .map(FunctionIndex)
    }
}

fn unversioned(interface: &str) -> &str {
    interface.split('@').next().unwrap_or(interface)
}

/// The newest handler that the component exports.
fn http_export(pre: &InstancePre<State>, flavor: Flavor) -> HttpExport {
    if flavor == Flavor::Async
        && let Ok(indices) = p3::bindings::ServiceIndices::new(pre)
    {
        return HttpExport::P3(indices);
    }
    match p2::bindings::ProxyIndices::new(pre) {
        Ok(indices) => HttpExport::P2(indices),
        Err(_) => HttpExport::None,
    }
}

fn exported_functions(pre: &InstancePre<State>) -> Vec<ExportedFunction> {
    let component = pre.component();
    let engine = component.engine();
    let mut functions = Vec::new();
    for (interface, export) in component.component_type().exports(engine) {
        let ComponentItem::ComponentInstance(instance) = export.ty else {
            continue;
        };
        let Some(parent) = component.get_export_index(None, interface) else {
            continue;
        };
        for (function, export) in instance.exports(engine) {
            let ComponentItem::ComponentFunc(ty) = export.ty else {
                continue;
            };
            let Some(index) = component.get_export_index(Some(&parent), function) else {
                continue;
            };
            functions.push(ExportedFunction {
                interface: interface.to_owned(),
                function: function.to_owned(),
                ty,
                index,
            });
        }
    }
    functions.sort_by(|a, b| (&a.interface, &a.function).cmp(&(&b.interface, &b.function)));
    functions
}
