//! Values of a type, from bytes.

use stoa_engine::value::{Type, Val};

/// Bytes that decide; when there are no more, zeros.
pub struct Source<'a>(pub &'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// Half of them from ASCII.
    fn character(&mut self) -> char {
        match self.byte() {
            ascii @ 0..=0x7f => char::from(ascii),
            high => {
                let [middle, low] = self.bytes();
                let number = u32::from_be_bytes([0, high & 0x1f, middle, low]);
                char::from_u32(number).unwrap_or('\u{fffd}')
            }
        }
    }

    /// A value of the type: the same for the same bytes.
    pub fn value(&mut self, ty: &Type) -> Val {
        match ty {
            Type::Bool => Val::Bool(self.byte() & 1 == 1),
            Type::S8 => Val::S8(i8::from_be_bytes(self.bytes())),
            Type::U8 => Val::U8(self.byte()),
            Type::S16 => Val::S16(i16::from_be_bytes(self.bytes())),
            Type::U16 => Val::U16(u16::from_be_bytes(self.bytes())),
            Type::S32 => Val::S32(i32::from_be_bytes(self.bytes())),
            Type::U32 => Val::U32(u32::from_be_bytes(self.bytes())),
            Type::S64 => Val::S64(i64::from_be_bytes(self.bytes())),
            Type::U64 => Val::U64(u64::from_be_bytes(self.bytes())),
            // From bits: every kind of number, with infinities and NaN.
            Type::Float32 => Val::Float32(f32::from_bits(u32::from_be_bytes(self.bytes()))),
            Type::Float64 => Val::Float64(f64::from_bits(u64::from_be_bytes(self.bytes()))),
            Type::Char => Val::Char(self.character()),
            Type::String => {
                let length = self.below(8);
                Val::String((0..length).map(|_| self.character()).collect())
            }
            Type::List(list) => {
                let length = self.below(5);
                Val::List((0..length).map(|_| self.value(&list.ty())).collect())
            }
            Type::FixedLengthList(list) => {
                Val::FixedLengthList((0..list.len()).map(|_| self.value(&list.ty())).collect())
            }
            Type::Map(map) => {
                let mut pairs: Vec<(Val, Val)> = Vec::new();
                for _ in 0..self.below(4) {
                    let pair = (self.value(&map.key()), self.value(&map.value()));
                    // A map that repeats a key does not come back as it was.
                    if pairs.iter().all(|(key, _)| *key != pair.0) {
                        pairs.push(pair);
                    }
                }
                Val::Map(pairs)
            }
            Type::Record(record) => Val::Record(
                record
                    .fields()
                    .map(|field| (field.name.to_owned(), self.value(&field.ty)))
                    .collect(),
            ),
            Type::Tuple(tuple) => Val::Tuple(tuple.types().map(|ty| self.value(&ty)).collect()),
            Type::Variant(variant) => {
                let case = variant.cases().nth(self.below(variant.cases().len()));
                let case = case.expect("it is one of them");
                Val::Variant(case.name.to_owned(), self.payload(case.ty))
            }
            Type::Enum(names) => {
                let name = names.names().nth(self.below(names.names().len()));
                Val::Enum(name.expect("it is one of them").to_owned())
            }
            Type::Option(option) => match self.byte() & 1 {
                0 => Val::Option(None),
                _ => Val::Option(self.payload(Some(option.ty()))),
            },
            Type::Result(result) => match self.byte() & 1 {
                0 => Val::Result(Ok(self.payload(result.ok()))),
                _ => Val::Result(Err(self.payload(result.err()))),
            },
            Type::Flags(flags) => {
                let set = flags.names().filter(|_| self.byte() & 1 == 1);
                Val::Flags(set.map(str::to_owned).collect())
            }
            other => unreachable!("no recipe has {other:?}"),
        }
    }

    fn payload(&mut self, ty: Option<Type>) -> Option<Box<Val>> {
        ty.map(|ty| Box::new(self.value(&ty)))
    }
}
