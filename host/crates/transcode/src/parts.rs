//! JSON arrays and objects into the parts of a value.

use std::collections::HashSet;

use serde::de::{MapAccess, SeqAccess};

use super::fault::Quoted;
use super::names::Names;
use super::plan::{Cases, Fields, MapKey, Plan};
use super::read::Reader;
use super::scalar;
use super::seeds::{NameOf, Nothing, Pair};
use stoa_engine::value::Val;

// === impl Reader ===

impl Reader<'_> {
    pub fn list<'de, A: SeqAccess<'de>>(
        self,
        item: &Plan,
        mut array: A,
    ) -> Result<Vec<Val>, A::Error> {
        let mut items = Vec::new();
        loop {
            match array.next_element_seed(self.of(item)) {
                Ok(Some(value)) => items.push(value),
                Ok(None) => return Ok(items),
                Err(error) => return Err(self.trail.within(items.len(), error)),
            }
        }
    }

    pub fn fixed_list<'de, A: SeqAccess<'de>>(
        self,
        item: &Plan,
        length: usize,
        array: A,
    ) -> Result<Val, A::Error> {
        let items = self.list(item, array)?;
        if items.len() != length {
            return Err(self
                .trail
                .wrong(self.plan, format_args!("{} items", items.len())));
        }
        Ok(Val::FixedLengthList(items))
    }

    pub fn tuple<'de, A: SeqAccess<'de>>(self, plans: &[Plan], array: A) -> Result<Val, A::Error> {
        self.items(plans, array).map(Val::Tuple)
    }

    /// An array whose items each have their own plan.
    fn items<'de, A: SeqAccess<'de>>(
        self,
        plans: &[Plan],
        mut array: A,
    ) -> Result<Vec<Val>, A::Error> {
        let mut items = Vec::with_capacity(plans.len());
        for (at, plan) in plans.iter().enumerate() {
            match array.next_element_seed(self.of(plan)) {
                Ok(Some(value)) => items.push(value),
                Ok(None) => {
                    let missing = self.trail.wrong(plan, "the array's end");
                    return Err(self.trail.within(at, missing));
                }
                Err(error) => return Err(self.trail.within(at, error)),
            }
        }
        self.no_more(plans.len(), array)?;
        Ok(items)
    }

    pub fn no_more<'de, A: SeqAccess<'de>>(
        self,
        length: usize,
        mut array: A,
    ) -> Result<(), A::Error> {
        let end = Nothing {
            trail: self.trail,
            expected: length,
        };
        match array.next_element_seed(end) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.trail.within(length, error)),
        }
    }

    pub fn pairs<'de, A: SeqAccess<'de>>(
        self,
        key: &Plan,
        value: &Plan,
        mut array: A,
    ) -> Result<Val, A::Error> {
        let pair = Pair {
            reader: self,
            plans: [key, value],
        };
        let (mut pairs, mut keys) = (Vec::new(), HashSet::new());
        loop {
            let at = pairs.len();
            match array.next_element_seed(pair) {
                Ok(Some((key, _))) if !keys.insert(key_number(&key)) => {
                    let twice = self.trail.wrong("each key once", "one that came before");
                    return Err(self.trail.within(at, self.trail.within(0, twice)));
                }
                Ok(Some(pair)) => pairs.push(pair),
                Ok(None) => return Ok(Val::Map(pairs)),
                Err(error) => return Err(self.trail.within(at, error)),
            }
        }
    }

    pub fn flags<'de, A: SeqAccess<'de>>(
        self,
        names: &Names,
        mut array: A,
    ) -> Result<Val, A::Error> {
        let mut set = vec![false; names.len()];
        let mut at = 0;
        let name = NameOf {
            names,
            guess: usize::MAX,
            trail: self.trail,
            what: "flag",
        };
        loop {
            match array.next_element_seed(name) {
                Ok(Some(flag)) if std::mem::replace(&mut set[flag], true) => {
                    let twice = self.trail.wrong(
                        "each flag once",
                        format_args!("{:?} twice", names.json(flag)),
                    );
                    return Err(self.trail.within(at, twice));
                }
                Ok(Some(_)) => at += 1,
                Ok(None) => break,
                Err(error) => return Err(self.trail.within(at, error)),
            }
        }
        Ok(flags_of(names, &set))
    }

    pub fn record<'de, A: MapAccess<'de>>(
        self,
        fields: &Fields,
        mut object: A,
    ) -> Result<Val, A::Error> {
        let mut slots = Slots::new(fields);
        let mut guess = 0;
        loop {
            let name = NameOf {
                names: &fields.names,
                guess,
                trail: self.trail,
                what: "field",
            };
            let Some(at) = object.next_key_seed(name)? else {
                break;
            };
            let within = |error| self.trail.within(fields.names.json(at), error);
            if slots.is_filled(at) {
                return Err(within(self.trail.wrong("each field once", "it twice")));
            }
            let value = object
                .next_value_seed(self.of(&fields.plans[at]))
                .map_err(within)?;
            slots.fill(at, value);
            guess = at + 1;
        }
        match slots.finish(|| self.trail.omit())? {
            Ok(values) => Ok(Val::Record(values)),
            Err(missing) => {
                let error = self.trail.wrong(&fields.plans[missing], "no such field");
                Err(self.trail.within(fields.names.json(missing), error))
            }
        }
    }

    pub fn object<'de, A: MapAccess<'de>>(
        self,
        kind: MapKey,
        value: &Plan,
        mut object: A,
    ) -> Result<Val, A::Error> {
        let (mut pairs, mut keys) = (Vec::new(), HashSet::new());
        while let Some(key) = object.next_key::<String>()? {
            if !keys.insert(key.clone()) {
                let twice = self.trail.wrong("each key once", "it twice");
                return Err(self.trail.within(key, twice));
            }
            let key_value = match kind {
                MapKey::String => Some(Val::String(key.clone())),
                MapKey::Char => scalar::character(&key),
            };
            let Some(key_value) = key_value else {
                let wrong = self.trail.wrong("a key of one character", Quoted(&key));
                return Err(self.trail.within(key, wrong));
            };
            match object.next_value_seed(self.of(value)) {
                Ok(value) => pairs.push((key_value, value)),
                Err(error) => return Err(self.trail.within(key, error)),
            }
        }
        Ok(Val::Map(pairs))
    }

    /// `{"case": payload}`.
    pub fn case<'de, A: MapAccess<'de>>(
        self,
        cases: &Cases,
        mut object: A,
    ) -> Result<(usize, Val), A::Error> {
        let name = NameOf {
            names: &cases.names,
            guess: usize::MAX,
            trail: self.trail,
            what: "case",
        };
        let Some(at) = object.next_key_seed(name)? else {
            return Err(self.trail.wrong(self.plan, "an empty object"));
        };
        let json = cases.names.json(at);
        let Some(plan) = &cases.payloads[at] else {
            let bare = self.trail.wrong(
                format_args!("the string {json:?}, as the case has no payload"),
                "an object",
            );
            return Err(self.trail.within(json, bare));
        };
        let payload = object
            .next_value_seed(self.of(plan))
            .map_err(|error| self.trail.within(json, error))?;
        self.only_one(object)?;
        Ok((at, payload))
    }

    /// `{"some": value}`.
    pub fn wrapped<'de, A: MapAccess<'de>>(
        self,
        some: &Plan,
        mut object: A,
    ) -> Result<Val, A::Error> {
        match object.next_key::<String>()? {
            Some(key) if key == "some" => {}
            Some(key) => {
                let unknown = self
                    .trail
                    .wrong(self.plan, format_args!("{}", Quoted(&key)));
                return Err(self.trail.within(key, unknown));
            }
            None => return Err(self.trail.wrong(self.plan, "an empty object")),
        }
        let value = object
            .next_value_seed(self.of(some))
            .map_err(|error| self.trail.within("some", error))?;
        self.only_one(object)?;
        Ok(Val::Option(Some(value.into())))
    }

    fn only_one<'de, A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        match object.next_key::<String>()? {
            None => Ok(()),
            Some(key) => {
                let more = self.trail.wrong(
                    "an object with one field",
                    format_args!("also {}", Quoted(&key)),
                );
                Err(self.trail.within(key, more))
            }
        }
    }
}

// === impl Slots ===

/// The fields of a record, in declared order, while they come in any order.
pub(super) struct Slots<'a> {
    fields: &'a Fields,
    /// A slot with an empty name is not filled; no WIT name is empty.
    values: Vec<(String, Val)>,
}

impl<'a> Slots<'a> {
    pub fn new(fields: &'a Fields) -> Self {
        let mut values = Vec::with_capacity(fields.plans.len());
        values.resize_with(fields.plans.len(), || (String::new(), Val::Bool(false)));
        Self { fields, values }
    }

    pub fn is_filled(&self, at: usize) -> bool {
        !self.values[at].0.is_empty()
    }

    pub fn fill(&mut self, at: usize, value: Val) {
        self.values[at] = (self.fields.names.wit(at).to_owned(), value);
    }

    /// The record, or the index of a field that is missing and isn't an option.
    pub fn finish<E>(
        mut self,
        mut omit: impl FnMut() -> Result<(), E>,
    ) -> Result<Result<Vec<(String, Val)>, usize>, E> {
        for at in 0..self.values.len() {
            if self.is_filled(at) {
                continue;
            }
            if !self.fields.plans[at].may_be_absent() {
                return Ok(Err(at));
            }
            omit()?;
            self.fill(at, Val::Option(None));
        }
        Ok(Ok(self.values))
    }
}

// === impl Plan, Cases ===

impl Plan {
    /// Whether leaving it out means `none`.
    pub fn may_be_absent(&self) -> bool {
        matches!(self, Self::Option(_) | Self::WrappedOption(_))
    }
}

impl Cases {
    /// A case that is written as its name alone.
    pub fn find_bare(&self, json: &str) -> Option<usize> {
        self.names
            .find_json(json)
            .filter(|at| self.payloads[*at].is_none())
    }
}

/// The flags that are set, in declared order.
pub(super) fn flags_of(names: &Names, set: &[bool]) -> Val {
    let set = names.iter().zip(set).filter(|(_, set)| **set);
    Val::Flags(set.map(|(name, _)| name.wit.to_string()).collect())
}

/// Map keys that are not text are numbers or truth values.
fn key_number(key: &Val) -> i128 {
    match key {
        Val::Bool(key) => (*key).into(),
        Val::S8(key) => (*key).into(),
        Val::U8(key) => (*key).into(),
        Val::S16(key) => (*key).into(),
        Val::U16(key) => (*key).into(),
        Val::S32(key) => (*key).into(),
        Val::U32(key) => (*key).into(),
        Val::S64(key) => (*key).into(),
        Val::U64(key) => (*key).into(),
        other => unreachable!("WIT has no map keys such as {other:?}"),
    }
}
