//! Types of the component model, from the letters of a line.
//!
//! A type is written from the outside in: `or2s4` is an option of a record of two
//! fields, a string and a `u16`. Every line means some type, so that whatever libFuzzer makes
//! of one is another type and not a fault.

use std::sync::LazyLock;

use stoa_engine::value::FunctionType;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wasmtime::{Config, Engine};

const WORDS: [&str; 13] = [
    "bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string",
];
/// No two are one without regard to case.
const NAMES: [&str; 8] = [
    "id",
    "line-items",
    "ok",
    "err",
    "some",
    "a1-b2",
    "null",
    "URL-of-it",
];
/// Types in each other, and in all: the text format has its own limits.
const DEEPEST: usize = 40;
const MOST: usize = 80;

/// A function that takes a `value` of the type and returns it: in a tuple, since
/// `none` and `result` mean something of their own at the top, or as it is.
pub fn function(letters: &[u8], wrapped: bool) -> FunctionType {
    let mut recipe = Recipe {
        letters: letters.iter(),
        definitions: String::new(),
        named: 0,
        parts: 0,
        repeats: false,
    };
    let ty = recipe.ty(0);
    let result = if wrapped {
        format!("(tuple {ty})")
    } else {
        ty.clone()
    };
    let text = format!(
        "(component {} (import \"f\" (func (param \"value\" {ty}) (result {result}))))",
        recipe.definitions
    );
    let bytes = wat::parse_str(&text).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
    let component =
        Component::new(&ENGINE, bytes).unwrap_or_else(|fault| panic!("{fault:?}\n{text}"));
    let ty = component.component_type();
    let function = ty.imports(&ENGINE).find_map(|(_, item)| match item.ty {
        ComponentItem::ComponentFunc(function) => Some(function),
        _ => None,
    });
    function.expect("the component imports a function")
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut config = Config::new();
    config.wasm_component_model_map(true);
    config.wasm_component_model_fixed_length_lists(true);
    Engine::new(&config).expect("the configuration is valid")
});

struct Recipe<'a> {
    letters: std::slice::Iter<'a, u8>,
    /// Types with names of their own must be imported.
    definitions: String,
    named: usize,
    parts: usize,
    /// Within a list of fixed length: two in each other would be large values.
    repeats: bool,
}

impl Recipe<'_> {
    fn letter(&mut self) -> u8 {
        self.letters.next().copied().unwrap_or(b'b')
    }

    fn ty(&mut self, depth: usize) -> String {
        self.parts += 1;
        let letter = self.letter();
        if depth == DEEPEST || self.parts > MOST {
            return word(letter).to_owned();
        }
        let depth = depth + 1;
        match letter {
            b'l' => format!("(list {})", self.ty(depth)),
            b'x' => {
                let length = if self.repeats { 1 } else { self.count() };
                let outer = std::mem::replace(&mut self.repeats, true);
                let item = self.ty(depth);
                self.repeats = outer;
                format!("(list {item} {length})")
            }
            b'm' => {
                let key = match word(self.letter()) {
                    "f32" | "f64" => "string",
                    key => key,
                };
                format!("(map {key} {})", self.ty(depth))
            }
            b't' => {
                let items: Vec<String> = (0..self.count()).map(|_| self.ty(depth)).collect();
                format!("(tuple {})", items.join(" "))
            }
            b'o' => format!("(option {})", self.ty(depth)),
            b'e' => {
                let ok = self.payload(depth).unwrap_or_default();
                let err = self.payload(depth).map(|err| format!("(error {err})"));
                format!("(result {ok} {})", err.unwrap_or_default())
            }
            b'r' => {
                let fields =
                    self.named(|recipe, name| format!("(field {name:?} {})", recipe.ty(depth)));
                self.define(&format!("(record {fields})"))
            }
            b'v' => {
                let cases = self.named(|recipe, name| {
                    let payload = recipe.payload(depth).unwrap_or_default();
                    format!("(case {name:?} {payload})")
                });
                self.define(&format!("(variant {cases})"))
            }
            b'n' => {
                let names = self.named(|_, name| format!("{name:?}"));
                self.define(&format!("(enum {names})"))
            }
            b'g' => {
                let names = self.named(|_, name| format!("{name:?}"));
                self.define(&format!("(flags {names})"))
            }
            letter => word(letter).to_owned(),
        }
    }

    /// From 1 to 4, by a digit.
    fn count(&mut self) -> usize {
        1 + usize::from(self.letter().wrapping_sub(b'1')) % 4
    }

    /// `-` is none.
    fn payload(&mut self, depth: usize) -> Option<String> {
        if self.letters.as_slice().first() == Some(&b'-') {
            self.letters.next();
            return None;
        }
        Some(self.ty(depth))
    }

    fn named(&mut self, mut part: impl FnMut(&mut Self, &str) -> String) -> String {
        let count = self.count();
        let first = self.named;
        let names = (0..count).map(|at| NAMES[(first + at) % NAMES.len()]);
        let parts: Vec<String> = names.map(|name| part(self, name)).collect();
        parts.join(" ")
    }

    fn define(&mut self, definition: &str) -> String {
        self.named += 1;
        let at = self.named;
        self.definitions.push_str(&format!(
            "(type $t{at} {definition}) (import \"n{at}\" (type $n{at} (eq $t{at})))\n"
        ));
        format!("$n{at}")
    }
}

fn word(letter: u8) -> &'static str {
    match letter {
        b'b' => "bool",
        b'c' => "char",
        b's' => "string",
        b'f' => "f32",
        b'd' => "f64",
        b'1'..=b'8' => WORDS[usize::from(letter - b'0')],
        other => WORDS[usize::from(other) % WORDS.len()],
    }
}
