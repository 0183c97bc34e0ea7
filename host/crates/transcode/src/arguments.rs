//! The arguments of a call as a JSON object, by the names of the parameters: how a call is
//! kept that is made later.

use super::body;
use super::fault::InputFault;
use super::names::{Names, snake_case};
use super::plan::{Fields, Plan, Planner};
use super::scalar;
use super::write::write;
use stoa_engine::value::{FunctionType, Val};

/// The parameters of one function, compiled.
#[derive(Debug)]
pub struct Arguments(Plan);

/// The values aren't of the function's types. The runtime checks what a guest passes, so
/// this is a fault of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the arguments are not of the function's types")]
pub struct NotOfType;

impl Arguments {
    /// Works out how the function's arguments are written.
    ///
    /// # Errors
    /// Every parameter of a type without a JSON form.
    pub fn compile(function: &FunctionType) -> Result<Self, Vec<String>> {
        let mut planner = Planner::default();
        let plans: Vec<_> = function
            .params()
            .map(|(name, ty)| planner.plan(&ty, &format!("parameter {name}")))
            .collect();
        let names = Names::new(function.params().map(|(name, _)| name));
        match (plans.into_iter().collect::<Option<_>>(), planner.faults()) {
            (Some(plans), faults) if faults.is_empty() => {
                Ok(Self(Plan::Record(Fields::new(names, plans))))
            }
            (_, faults) => Err(faults),
        }
    }

    /// The JSON object of these arguments, which are in the order of the parameters.
    ///
    /// # Errors
    /// When they are not of the function's types.
    pub fn encode(&self, params: &[Val]) -> Result<Vec<u8>, NotOfType> {
        let named = params.iter().cloned().map(|value| (String::new(), value));
        let mut json = Vec::with_capacity(128);
        write(&self.0, &Val::Record(named.collect()), &mut json).map_err(|_| NotOfType)?;
        Ok(json)
    }

    /// The arguments that such an object holds.
    ///
    /// # Errors
    /// The first fault that was found, with its place.
    pub fn decode(&self, json: &[u8]) -> Result<Vec<Val>, InputFault> {
        match body::decode(&self.0, json)? {
            Val::Record(fields) => Ok(fields.into_iter().map(|(_, value)| value).collect()),
            other => unreachable!("a plan for fields reads a record, not {other:?}"),
        }
    }

    /// The names of the parameters, as the object has them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let fields = match &self.0 {
            Plan::Record(fields) => Some(fields),
            _ => None,
        };
        let fields = fields.into_iter().flat_map(|fields| fields.names.iter());
        fields.map(|known| &*known.json)
    }

    /// Whether there is a parameter of this name.
    pub fn has(&self, name: &str) -> bool {
        let wanted = snake_case(name);
        self.names().any(|known| known == wanted)
    }

    /// Where the parameter `name` stands, if it is one whose value is a text.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn text(&self, name: &str) -> Result<usize, String> {
        let Plan::Record(fields) = &self.0 else {
            unreachable!("arguments are the fields of a record")
        };
        let wanted = snake_case(name);
        let names: Vec<_> = self.names().collect();
        let Some(at) = names.iter().position(|known| *known == wanted) else {
            return Err(format!(
                "expected the name of a parameter ({}), found {name:?}",
                names.join(", ")
            ));
        };
        match &fields.plans[at] {
            plan if scalar::is_text(plan) => Ok(at),
            plan => Err(format!(
                "expected a parameter that is a number, a string or another type without parts, found {name:?}, \
                 which is {plan}"
            )),
        }
    }

    /// The text of the argument at a place that [`Arguments::text`] gave.
    ///
    /// # Errors
    /// When it is not of the function's type.
    pub fn text_of(&self, params: &[Val], at: usize) -> Result<String, NotOfType> {
        let Plan::Record(fields) = &self.0 else {
            return Err(NotOfType);
        };
        match params.get(at).ok_or(NotOfType)? {
            Val::String(text) => Ok(text.clone()),
            value => {
                let mut json = Vec::new();
                write(&fields.plans[at], value, &mut json).map_err(|_| NotOfType)?;
                let text = String::from_utf8(json).map_err(|_| NotOfType)?;
                Ok(text.trim_matches('"').to_owned())
            }
        }
    }
}
