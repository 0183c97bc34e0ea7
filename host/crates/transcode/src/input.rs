//! From a request's path, query and body to the parameters of a function.

use http::HeaderMap;
use percent_encoding::percent_decode_str;

use super::binding::{HeaderParameter, RawBody, take};
use super::body;
use super::fault::{FaultKind, InputFault, Place, Quoted};
use super::names::Names;
use super::plan::{Fields, Plan, Planner};
use super::query;
use super::scalar;
use stoa_engine::value::{FunctionType, Val};
use stoa_settings::Route;

/// Where each parameter comes from.
#[derive(Debug)]
pub(super) struct Input {
    parameters: usize,
    /// In the order of the template.
    path: Box<[PathParameter]>,
    headers: Box<[HeaderParameter]>,
    raw: Option<RawBody>,
    rest: Rest,
}

/// What a body has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyForm {
    /// JSON.
    Json,
    /// Anything: it is taken as it was sent.
    Raw,
}

#[derive(Debug)]
struct PathParameter {
    /// As the template writes it.
    name: Box<str>,
    index: usize,
    plan: Plan,
}

/// The parameters that nothing names.
#[derive(Debug)]
enum Rest {
    Nothing,
    /// The body is this parameter.
    Body(usize, Plan),
    /// The body's fields are these parameters.
    BodyFields(Box<[usize]>, Plan),
    /// The query's fields are those of this record.
    QueryRecord(usize, Fields),
    /// The query's fields are these parameters.
    QueryFields(Box<[usize]>, Fields),
}

/// A parameter of the function.
pub(super) struct Parameter {
    pub index: usize,
    pub name: String,
    pub plan: Plan,
}

impl Input {
    pub fn compile(route: &Route, function: &FunctionType, planner: &mut Planner) -> Option<Self> {
        let parameters = function.params().len();
        let planned: Vec<Option<Parameter>> = function
            .params()
            .enumerate()
            .map(|(index, (name, ty))| {
                let plan = planner.plan(&ty, &format!("parameter {name}"))?;
                Some(Parameter {
                    index,
                    name: name.to_owned(),
                    plan,
                })
            })
            .collect();
        let mut rest: Vec<Parameter> = planned.into_iter().collect::<Option<_>>()?;
        let path = template_parameters(&route.path)
            .into_iter()
            .filter_map(|name| take_path(name, &mut rest, planner))
            .collect();
        let headers = route.headers.iter();
        let headers = headers
            .filter_map(|bound| HeaderParameter::compile(bound, &mut rest, planner))
            .collect();
        let raw = route.body.as_deref();
        let raw = raw.and_then(|name| RawBody::compile(name, &mut rest, planner));
        let rest = match route.method.as_deref() {
            Some("GET" | "HEAD" | "DELETE") => query_rest(rest, planner),
            _ if raw.is_some() => query_rest(rest, planner),
            // Refused: what else there is has no place to be judged by.
            _ if route.body.is_some() => Rest::Nothing,
            _ => body_rest(rest),
        };
        Some(Self {
            parameters,
            path,
            headers,
            raw,
            rest,
        })
    }

    pub fn body(&self) -> Option<BodyForm> {
        match self.rest {
            _ if self.raw.is_some() => Some(BodyForm::Raw),
            Rest::Body(..) | Rest::BodyFields(..) => Some(BodyForm::Json),
            Rest::Nothing | Rest::QueryRecord(..) | Rest::QueryFields(..) => None,
        }
    }

    pub fn decode(
        &self,
        path: &[&str],
        query: Option<&str>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<Val>, InputFault> {
        // Each is overwritten: together the sources cover all parameters.
        let mut values = vec![Val::Bool(false); self.parameters];
        for (at, parameter) in self.path.iter().enumerate() {
            values[parameter.index] = parameter.decode(path.get(at).copied())?;
        }
        if !matches!(self.rest, Rest::QueryRecord(..) | Rest::QueryFields(..)) {
            query::expect_none(query)?;
        }
        for parameter in &self.headers {
            values[parameter.index] = parameter.decode(headers)?;
        }
        if let Some(raw) = &self.raw {
            values[raw.index] = raw.decode(body)?;
        }
        match &self.rest {
            Rest::Nothing => {}
            Rest::Body(index, plan) => values[*index] = whole_body(plan, body)?,
            Rest::BodyFields(indices, plan) => {
                let fields = match whole_body(plan, body)? {
                    Val::Record(fields) => fields,
                    other => unreachable!("a plan for fields reads a record, not {other:?}"),
                };
                spread(indices, fields, &mut values);
            }
            Rest::QueryRecord(index, fields) => {
                values[*index] = Val::Record(query::decode(fields, query)?)
            }
            Rest::QueryFields(indices, fields) => {
                spread(indices, query::decode(fields, query)?, &mut values)
            }
        }
        Ok(values)
    }
}

fn spread(indices: &[usize], fields: Vec<(String, Val)>, values: &mut [Val]) {
    for (index, (_, value)) in indices.iter().zip(fields) {
        values[*index] = value;
    }
}

/// No body at all is an object without fields, or an option that is `none`.
fn whole_body(plan: &Plan, body: &[u8]) -> Result<Val, InputFault> {
    match plan {
        Plan::Option(_) | Plan::WrappedOption(_) if body.is_empty() => Ok(Val::Option(None)),
        Plan::Record(fields) if body.is_empty() && fields.plans.iter().all(Plan::may_be_absent) => {
            body::decode(plan, b"{}")
        }
        _ if body.is_empty() => Err(InputFault {
            kind: FaultKind::Syntax,
            place: Place::Body {
                pointer: String::new(),
            },
            message: format!("expected JSON, {plan}, found no body"),
        }),
        _ => body::decode(plan, body),
    }
}

// === impl PathParameter ===

impl PathParameter {
    fn decode(&self, raw: Option<&str>) -> Result<Val, InputFault> {
        let fault = |message| InputFault::path(&self.name, message);
        let raw = raw.ok_or_else(|| {
            fault(format!(
                "expected {}, found no value in the path",
                self.plan
            ))
        })?;
        let text = percent_decode_str(raw).decode_utf8().map_err(|_| {
            fault(format!(
                "expected percent-encoded UTF-8, found {}",
                Quoted(raw)
            ))
        })?;
        scalar::parse(&self.plan, &text).map_err(fault)
    }
}

/// The names in a path's braces. A wildcard has no name and binds nothing.
fn template_parameters(path: &str) -> Vec<&str> {
    let opened = path.split('{').skip(1);
    opened
        .filter_map(|part| part.split_once('}'))
        .map(|(name, _)| name)
        .collect()
}

fn take_path(
    name: &str,
    rest: &mut Vec<Parameter>,
    planner: &mut Planner,
) -> Option<PathParameter> {
    let place = format!("path parameter {{{name}}}");
    let Parameter { index, plan, .. } = take(name, &place, rest, planner)?;
    if !scalar::is_text(&plan) {
        planner.refuse(format!(
            "{place}: expected a number, string, enum or other type without parts, found {plan}"
        ));
        return None;
    }
    Some(PathParameter {
        name: name.into(),
        index,
        plan,
    })
}

// === impl Rest ===

fn body_rest(mut rest: Vec<Parameter>) -> Rest {
    match rest.len() {
        0 => Rest::Nothing,
        1 => {
            let Parameter { index, plan, .. } = rest.remove(0);
            Rest::Body(index, plan)
        }
        _ => {
            let (indices, fields) = fields(rest);
            Rest::BodyFields(indices, Plan::Record(fields))
        }
    }
}

fn query_rest(mut rest: Vec<Parameter>, planner: &mut Planner) -> Rest {
    if rest.is_empty() {
        return Rest::Nothing;
    }
    if let [
        Parameter {
            index,
            plan: Plan::Record(_),
            name,
        },
    ] = &rest[..]
    {
        let (index, name) = (*index, name.clone());
        let Plan::Record(fields) = rest.remove(0).plan else {
            unreachable!("the pattern above has seen a record")
        };
        refuse_in_query(&fields, &format!("{name}."), planner);
        return Rest::QueryRecord(index, fields);
    }
    let (indices, fields) = fields(rest);
    refuse_in_query(&fields, "", planner);
    Rest::QueryFields(indices, fields)
}

fn refuse_in_query(fields: &Fields, prefix: &str, planner: &mut Planner) {
    for (name, plan) in fields.names.iter().zip(&fields.plans) {
        if let Some(found) = query::refusal(plan) {
            planner.refuse(format!(
                "parameter {prefix}{}: expected a type that a query can carry (numbers, strings, enums, flags, \
                 options and lists of those), found {found}; take it from a JSON body, which POST has",
                name.wit
            ));
        }
    }
}

fn fields(rest: Vec<Parameter>) -> (Box<[usize]>, Fields) {
    let names = Names::new(rest.iter().map(|parameter| &*parameter.name));
    let indices = rest.iter().map(|parameter| parameter.index).collect();
    (
        indices,
        Fields::new(
            names,
            rest.into_iter().map(|parameter| parameter.plan).collect(),
        ),
    )
}
