//! From the result of a function to the reply of a request.

use std::cell::Cell;
use std::collections::BTreeMap;

use bytes::Bytes;

use super::location::Location;
use super::names::snake_case;
use super::plan::{Plan, Planner};
use super::write::{Mismatch, write};
use stoa_engine::service_error::{self, ServiceError};
use stoa_engine::value::{FunctionType, Type, Val};
use stoa_settings::Route;

/// What a call answers, before anyone thinks of a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A value.
    Body {
        /// The value's JSON.
        json: Bytes,
        /// The `version: u64` field of a record: what an ETag is made of.
        version: Option<u64>,
        /// Where the thing is that the call has made, if the route says so.
        location: Option<String>,
    },
    /// No value: the function has no result, or it is `none` or `ok` alone.
    Empty,
    /// The standard `stoa:service/types.error`.
    Error(ServiceError),
    /// The function's own error, for which the route names a status.
    OwnError {
        /// The WIT name of the case; `err` for an error type without cases.
        case: String,
        /// The whole error as JSON; `null` where there is no payload type.
        json: Vec<u8>,
        /// What the route says.
        status: u16,
    },
    /// The function's own error without a status: the client learns nothing of it.
    Internal {
        /// As in [`Reply::OwnError`]; for the log.
        case: String,
        /// The whole error as JSON; for the log.
        detail: Vec<u8>,
    },
}

/// How a function's result becomes a [`Reply`].
#[derive(Debug)]
pub(super) struct Output {
    slots: usize,
    /// None where there is no value to write.
    value: Option<Plan>,
    /// Index of the record's field `version`.
    version: Option<usize>,
    location: Option<Location>,
    error: ErrorOutput,
}

#[derive(Debug)]
enum ErrorOutput {
    /// The function returns its value as it is.
    Never,
    Standard,
    Own {
        plan: Option<Plan>,
        /// WIT name of the case → status.
        statuses: BTreeMap<String, u16>,
    },
}

/// What a case is called where an error type has no cases.
const WHOLE: &str = "err";

/// First allocation for a reply: most are not much larger, and doubling does the rest.
const CAPACITY: usize = 256;

/// The longest reply that is copied out of its thread's buffer: what a longer one's
/// copy costs is more than the allocations that the buffer saves.
const COPIED: usize = 64 << 10;

thread_local! {
    /// Where a thread writes its replies: few allocations are as large as they are.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Output {
    pub fn compile(route: &Route, function: &FunctionType, planner: &mut Planner) -> Option<Self> {
        let result = function.results().next();
        let (ty, error) = match &result {
            None => (None, Some(ErrorOutput::Never)),
            Some(Type::Result(result)) => {
                (result.ok(), compile_error(result.err(), route, planner))
            }
            Some(plain) => (Some(plain.clone()), Some(ErrorOutput::Never)),
        };
        if matches!(error, Some(ErrorOutput::Never)) && !route.errors.is_empty() {
            planner.refuse(
                "errors: expected none, as the function returns no result<_, E>".to_owned(),
            );
        }
        let value = ty.as_ref().map(|ty| planner.plan(ty, "result"));
        refuse_status(route.status, value.is_some(), planner);
        let value = match value {
            Some(plan) => Some(plan?),
            None => None,
        };
        let version = ty.as_ref().and_then(version_field);
        let template = route.location.as_deref();
        let location =
            template.and_then(|template| Location::compile(template, ty.as_ref(), planner));
        Some(Self {
            slots: function.results().len(),
            value,
            version,
            location,
            error: error?,
        })
    }

    pub fn slots(&self) -> usize {
        self.slots
    }

    pub fn encode(&self, results: &[Val]) -> Reply {
        self.reply(results)
            .unwrap_or_else(|Mismatch| Reply::Internal {
                case: "the result is not of the function's type".to_owned(),
                detail: Vec::new(),
            })
    }

    fn reply(&self, results: &[Val]) -> Result<Reply, Mismatch> {
        match (&self.error, results) {
            (ErrorOutput::Never, []) => self.value(None),
            (ErrorOutput::Never, [value]) => self.value(Some(value)),
            (_, [Val::Result(Ok(value))]) => self.value(value.as_deref()),
            (ErrorOutput::Standard, [Val::Result(Err(Some(error)))]) => {
                ServiceError::from_val(error)
                    .map(Reply::Error)
                    .ok_or(Mismatch)
            }
            (ErrorOutput::Own { plan, statuses }, [Val::Result(Err(error))]) => {
                own_error(plan.as_ref(), statuses, error.as_deref())
            }
            _ => Err(Mismatch),
        }
    }

    fn value(&self, value: Option<&Val>) -> Result<Reply, Mismatch> {
        match (&self.value, value) {
            (None, None) | (Some(_), Some(Val::Option(None))) => Ok(Reply::Empty),
            (Some(plan), Some(value)) => {
                let json = to_body(plan, value)?;
                Ok(Reply::Body {
                    json,
                    version: self.version.and_then(|at| version_of(value, at)),
                    location: self.location.as_ref().and_then(|place| place.of(value)),
                })
            }
            _ => Err(Mismatch),
        }
    }
}

fn to_json(plan: &Plan, value: &Val) -> Result<Vec<u8>, Mismatch> {
    let mut json = Vec::with_capacity(CAPACITY);
    write(plan, value, &mut json)?;
    Ok(json)
}

/// As [`to_json`], in one allocation of the right size.
fn to_body(plan: &Plan, value: &Val) -> Result<Bytes, Mismatch> {
    let mut buffer = BUFFER.take();
    buffer.reserve(CAPACITY);
    let written = write(plan, value, &mut buffer);
    if buffer.len() > COPIED {
        return written.map(|()| Bytes::from(buffer));
    }
    let json = Bytes::copy_from_slice(&buffer);
    buffer.clear();
    BUFFER.set(buffer);
    written.map(|()| json)
}

fn own_error(
    plan: Option<&Plan>,
    statuses: &BTreeMap<String, u16>,
    error: Option<&Val>,
) -> Result<Reply, Mismatch> {
    let case = match error {
        Some(Val::Variant(case, _) | Val::Enum(case)) => case.clone(),
        _ => WHOLE.to_owned(),
    };
    let json = match (plan, error) {
        (Some(plan), Some(error)) => to_json(plan, error)?,
        (None, None) => b"null".to_vec(),
        _ => return Err(Mismatch),
    };
    Ok(match statuses.get(&case) {
        Some(status) => Reply::OwnError {
            case,
            json,
            status: *status,
        },
        None => Reply::Internal { case, detail: json },
    })
}

// === Versions ===

fn version_field(ty: &Type) -> Option<usize> {
    match ty {
        Type::Record(record) => record
            .fields()
            .position(|field| field.name == "version" && field.ty == Type::U64),
        Type::Option(some) => version_field(&some.ty()),
        _ => None,
    }
}

fn version_of(value: &Val, at: usize) -> Option<u64> {
    match value {
        Val::Record(fields) => match fields.get(at)? {
            (_, Val::U64(version)) => Some(*version),
            _ => None,
        },
        Val::Option(Some(some)) => version_of(some, at),
        _ => None,
    }
}

// === What a route may say ===

fn refuse_status(status: Option<u16>, has_body: bool, planner: &mut Planner) {
    match status {
        Some(status @ (204 | 205)) if has_body => planner.refuse(format!(
            "status {status}: expected a status whose answer has a body, as the function returns a value"
        )),
        Some(status) if !(200..300).contains(&status) => {
            planner.refuse(format!("status {status}: expected the status of a success, 200 to 299"));
        }
        _ => {}
    }
}

fn compile_error(error: Option<Type>, route: &Route, planner: &mut Planner) -> Option<ErrorOutput> {
    if error.as_ref().is_some_and(service_error::is_standard) {
        if !route.errors.is_empty() {
            planner.refuse(
                "errors: expected none, as the statuses of stoa:service/types.error are fixed"
                    .to_owned(),
            );
        }
        return Some(ErrorOutput::Standard);
    }
    let statuses = compile_statuses(error.as_ref(), route, planner);
    let plan = match error {
        Some(ty) => Some(planner.plan(&ty, "result.err")?),
        None => None,
    };
    Some(ErrorOutput::Own { plan, statuses })
}

fn compile_statuses(
    error: Option<&Type>,
    route: &Route,
    planner: &mut Planner,
) -> BTreeMap<String, u16> {
    let cases: Vec<String> = match error {
        Some(Type::Variant(variant)) => variant.cases().map(|case| case.name.to_owned()).collect(),
        Some(Type::Enum(names)) => names.names().map(str::to_owned).collect(),
        _ => vec![WHOLE.to_owned()],
    };
    let mut statuses = BTreeMap::new();
    for (name, status) in &route.errors {
        if !(400..600).contains(status) {
            planner.refuse(format!(
                "errors.{name}: expected the status of an error, 400 to 599, found {status}"
            ));
        }
        match cases.iter().find(|case| *case == name || snake_case(case) == *name) {
            Some(case) if statuses.insert(case.clone(), *status).is_none() => {}
            Some(case) => planner.refuse(format!("errors.{name}: expected one status for {case}, found another")),
            None => planner.refuse(format!(
                "errors.{name}: expected a case of the function's error type ({}), found none of that name",
                cases.join(", ")
            )),
        }
    }
    statuses
}
