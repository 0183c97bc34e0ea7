//! JSON ↔ WIT.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use http::HeaderMap;
use serde_json::{Value, json};
use stoa_engine::value::{FunctionType, Type, Val};
use stoa_transcode::{FaultKind, InputFault, Operation, Place, Reply};

use crate::recipe;
use crate::values::Source;

/// The first line is a type, see [`recipe`]. The rest is tried as what a value of the
/// type is made from, as a body, as a query and as a part of a path. Values must come
/// back from their JSON, JSON that is read must mean the same when it is written, and
/// what is not has a fault with its place.
///
/// # Panics
/// When it does not.
pub fn transcode(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (letters, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    let rest = rest.strip_prefix(b"\n").unwrap_or(rest);
    let echo = Echo::of(letters);
    let value = Source(rest).value(&echo.ty);
    echo.value(value);
    echo.body(rest);
    if let Ok(text) = std::str::from_utf8(rest) {
        echo.query(text);
        echo.path(text);
    }
}

/// Functions that answer a value of one type with itself, behind different routes.
struct Echo {
    ty: Type,
    body: Operation,
    /// The result without a tuple around it.
    plain: Operation,
    /// Not every type can stand in a query or a path.
    query: Option<Operation>,
    path: Option<Operation>,
}

thread_local! {
    static KNOWN: RefCell<HashMap<Vec<u8>, Rc<Echo>>> = RefCell::default();
}
/// Types that are kept: making one takes longer than using it.
const KEPT: usize = 4096;

impl Echo {
    fn of(letters: &[u8]) -> Rc<Self> {
        if let Some(echo) = KNOWN.with_borrow(|known| known.get(letters).cloned()) {
            return echo;
        }
        let wrapped = recipe::function(letters, true);
        let plain = recipe::function(letters, false);
        let works = |operation: Result<_, Vec<String>>| operation.expect("the type has a form");
        let (_, ty) = wrapped.params().next().expect("it takes a value");
        let echo = Rc::new(Self {
            ty,
            body: works(compile("POST", "/", &wrapped)),
            plain: works(compile("POST", "/", &plain)),
            query: compile("GET", "/", &wrapped).ok(),
            path: compile("POST", "/{value}", &wrapped).ok(),
        });
        KNOWN.with_borrow_mut(|known| {
            if known.len() == KEPT {
                known.clear();
            }
            known.insert(letters.to_owned(), echo.clone());
        });
        echo
    }

    /// A value that a guest returns.
    fn value(&self, value: Val) {
        if let Reply::Body { json, .. } = self.plain.encode(std::slice::from_ref(&value)) {
            let json: Result<Value, _> = serde_json::from_slice(&json);
            assert!(json.is_ok(), "{json:?} of {value:?}");
        }
        let json = self.written(&value);
        assert_eq!(self.read(json.as_bytes()), Ok(value), "{json}");
    }

    /// A body that a client sends.
    fn body(&self, bytes: &[u8]) {
        let document: Result<Value, _> = serde_json::from_slice(bytes);
        match self.read(bytes) {
            Ok(value) => {
                assert!(document.is_ok() || bytes.is_empty(), "{value:?} of no JSON");
                let json = self.written(&value);
                assert_eq!(self.read(json.as_bytes()), Ok(value), "{json}");
            }
            Err(fault) if fault.kind == FaultKind::Syntax => {
                assert!(document.is_err(), "{fault}");
            }
            Err(fault) => assert_eq!(fault.kind, FaultKind::Shape, "{fault}"),
        }
        // Each key once, so that a place is one place.
        if let Ok(document) = document
            && let Err(fault) = self.read(document.to_string().as_bytes())
        {
            assert_eq!(fault.kind, FaultKind::Shape, "{fault} of {document}");
            assert!(fault.message.contains("expected"), "{fault}");
            assert_placed(&document, &fault);
        }
    }

    fn query(&self, text: &str) {
        if let Some(operation) = &self.query
            && let Err(fault) = operation.decode(&[], Some(text), &HeaderMap::new(), b"")
        {
            assert!(matches!(fault.place, Place::Query { .. }), "{fault}");
        }
    }

    fn path(&self, text: &str) {
        if let Some(operation) = &self.path
            && let Err(fault) = operation.decode(&[text], None, &HeaderMap::new(), b"")
        {
            let place = Place::Path {
                name: "value".to_owned(),
            };
            assert_eq!(fault.place, place, "{fault}");
        }
    }

    fn read(&self, json: &[u8]) -> Result<Val, InputFault> {
        let values = self.body.decode(&[], None, &HeaderMap::new(), json);
        values.map(|mut values| values.remove(0))
    }

    fn written(&self, value: &Val) -> String {
        let wrapped = Val::Tuple(vec![value.clone()]);
        let Reply::Body { json, .. } = self.body.encode(&[wrapped]) else {
            panic!("expected a body of {value:?}");
        };
        let json = String::from_utf8(json.to_vec()).expect("JSON is UTF-8");
        let value = json
            .strip_prefix('[')
            .and_then(|json| json.strip_suffix(']'));
        value.expect("a tuple is an array").to_owned()
    }
}

fn compile(method: &str, path: &str, function: &FunctionType) -> Result<Operation, Vec<String>> {
    let route = json!({ "method": method, "path": path, "target": "http" });
    let route = serde_json::from_value(route).expect("a route is JSON");
    Operation::compile(&route, function)
}

/// A fault's place is in the document, or would be a child of something that is.
fn assert_placed(document: &Value, fault: &InputFault) {
    let Place::Body { pointer } = &fault.place else {
        panic!("{fault} of {document}");
    };
    let parent = pointer.rsplit_once('/').map(|(parent, _)| parent);
    let known = document
        .pointer(pointer)
        .or_else(|| document.pointer(parent?));
    assert!(known.is_some(), "{fault} is nowhere near {document}");
}
