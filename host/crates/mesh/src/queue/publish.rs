//! Imports that are queues: calling one of their functions keeps the call.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::StoredCall;
use crate::gate::Gate;
use crate::guard::Guard;
use crate::target::{Kept, Queue};
use stoa_call::CallContext;
use stoa_engine::link::{Link, LinkFailure, LinkTarget, LinkedFunction};
use stoa_engine::service_error;
use stoa_engine::value::{FunctionType, Type, Val};
use stoa_service::contract::InterfaceName;
use stoa_settings as settings;
use stoa_store::Append;
use stoa_transcode::Arguments;

/// An imported interface that is a queue.
pub struct Publisher {
    guard: Guard<Queue>,
    functions: Vec<Publishing>,
}

/// A function that keeps its calls.
pub struct Publishing {
    /// Its name.
    pub name: String,
    /// How its arguments are written.
    pub arguments: Arguments,
    key: Option<usize>,
    dedupe: Option<usize>,
    /// Whether it has a result, in which a failure is told.
    has_result: bool,
    asynchronous: bool,
}

impl Publisher {
    /// The link of an import whose calls `queue` keeps.
    pub fn link(interface: &InterfaceName, queue: Queue, functions: Vec<Publishing>) -> Link {
        let linked = functions.iter().map(|function| LinkedFunction {
            name: function.name.clone(),
            asynchronous: function.asynchronous,
        });
        Link {
            interface: interface.to_string(),
            functions: linked.collect(),
            target: Arc::new(Self {
                guard: Guard::new(Arc::new(Gate::free()), queue),
                functions,
            }),
        }
    }

    async fn keep(
        &self,
        function: &Publishing,
        context: CallContext,
        params: &[Val],
    ) -> Result<(), LinkFailure> {
        let settings = &self.guard.target().settings;
        let kept = function.call(&context, params, settings.delay);
        let kept = kept.map_err(|reason| LinkFailure {
            reason: format!("{}: {reason}", function.name),
            retry_after: None,
        })?;
        let kept = self.guard.keep(&context, kept).await;
        kept.map(drop).map_err(|error| LinkFailure {
            reason: error.to_string(),
            retry_after: error.retry_after(),
        })
    }
}

impl LinkTarget for Publisher {
    fn call<'a>(
        &'a self,
        function: usize,
        context: CallContext,
        params: &'a [Val],
        results: &'a mut [Val],
    ) -> BoxFuture<'a, Result<(), LinkFailure>> {
        let function = &self.functions[function];
        Box::pin(async move {
            let kept = self.keep(function, context, params).await;
            if !function.has_result {
                return kept;
            }
            results[0] = match kept {
                Ok(()) => Val::Result(Ok(None)),
                Err(failure) => service_error::unavailable_result(failure.reason),
            };
            Ok(())
        })
    }

    fn held(
        &self,
        function: usize,
        context: &CallContext,
        params: &[Val],
        results: &mut [Val],
    ) -> Option<Result<Append, LinkFailure>> {
        let (function, queue) = (&self.functions[function], self.guard.target());
        let kept = function.call(context, params, queue.settings.delay);
        if function.has_result {
            results[0] = Val::Result(Ok(None));
        }
        let failure = |reason| LinkFailure {
            reason: format!("{}: {reason}", function.name),
            retry_after: None,
        };
        Some(kept.map(|kept| queue.append(kept)).map_err(failure))
    }
}

// === impl Publishing ===

impl Publishing {
    /// A function whose calls are kept as `settings` say.
    ///
    /// # Errors
    /// Why they can't be: what it gives back, a parameter without a form, or a key that is
    /// none of its parameters.
    pub fn compile(
        name: &str,
        ty: &FunctionType,
        settings: &settings::Queue,
    ) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let has_result = is_kept(ty).map_err(|fault| faults.push(fault));
        let arguments = Arguments::compile(ty).map_err(|found| faults.extend(found));
        let (Ok(has_result), Ok(arguments)) = (has_result, arguments) else {
            return Err(faults);
        };
        let mut place = |setting: &str, parameter: Option<&String>| {
            // Calls of a function that has none are not ordered, or not told apart.
            let parameter = parameter.filter(|name| arguments.has(name));
            let found = parameter.map(|name| arguments.text(name)).transpose();
            let told = found.map_err(|fault| faults.push(format!("`{setting}`: {fault}")));
            told.unwrap_or_default()
        };
        let key = place("key", settings.key.as_ref());
        let dedupe = place("dedupe", settings.dedupe.as_ref());
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            name: name.to_owned(),
            key,
            dedupe,
            has_result,
            asynchronous: ty.async_(),
            arguments,
        })
    }

    /// What is kept of a call with these arguments.
    ///
    /// # Errors
    /// Why nothing can be.
    pub fn call(
        &self,
        context: &CallContext,
        params: &[Val],
        delay: std::time::Duration,
    ) -> Result<Kept, String> {
        let told = |fault: stoa_transcode::NotOfType| fault.to_string();
        let json = self.arguments.encode(params).map_err(told)?;
        let json = String::from_utf8(json).map_err(|fault| fault.to_string())?;
        let json = serde_json::value::RawValue::from_string(json);
        let json = json.map_err(|fault| fault.to_string())?;
        let text = |place: Option<usize>| {
            let text = place.map(|at| self.arguments.text_of(params, at));
            text.transpose().map_err(told)
        };
        Ok(Kept {
            key: text(self.key)?,
            dedupe: text(self.dedupe)?,
            delay,
            body: StoredCall::new(&self.name, &json, context).write(),
        })
    }
}

/// Whether a function that is called later has a result, of those that it may have.
fn is_kept(ty: &FunctionType) -> Result<bool, String> {
    let expected = "nobody waits for what a call in a queue gives back: expected no result, or \
                    `result<_, error>` with the error of stoa:service/types";
    match ty.results().next() {
        None => Ok(false),
        Some(Type::Result(result)) => match (result.ok(), result.err()) {
            (None, Some(error)) if service_error::is_standard(&error) => Ok(true),
            (Some(_), _) => Err(format!("{expected}, found a result with a value")),
            _ => Err(format!("{expected}, found another error")),
        },
        Some(_) => Err(format!("{expected}, found a value")),
    }
}
