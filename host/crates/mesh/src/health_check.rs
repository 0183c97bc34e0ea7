//! What a service says of itself when the host asks it.

use std::sync::Arc;

use super::gate::Gate;
use super::guard::{Guard, Terms};
use super::retry::Repeat;
use super::target::Function;
use stoa_call::CallContext;
use stoa_engine::FunctionIndex;
use stoa_engine::value::Val;
use stoa_service::revision::Revision;
use stoa_settings::Priority;

/// Asks a revision's `stoa:service/health.check` whether it may get traffic. It is asked
/// once, whatever lets calls through to it: it may have none yet.
///
/// # Errors
///
/// Why not: in the service's own words, or what went wrong with the call.
pub async fn check_health(revision: &Arc<Revision>, check: FunctionIndex) -> Result<(), String> {
    let target = Function {
        revision: revision.clone(),
        index: check,
    };
    let guard = Guard::new(Arc::new(Gate::free()), target);
    let context = CallContext {
        priority: Priority::High,
        ..CallContext::new(revision.deadline(None))
    };
    let mut results = [Val::Bool(false)];
    let asked = guard
        .call(&context, &[], &mut results, &Terms::of(Repeat::Once))
        .await;
    asked.outcome.map_err(|error| error.to_string())?;
    match &results[0] {
        Val::Result(Err(Some(reason))) => match reason.as_ref() {
            Val::String(reason) => Err(reason.clone()),
            _ => Err("it gives no reason".to_owned()),
        },
        Val::Result(Err(None)) => Err("it gives no reason".to_owned()),
        _ => Ok(()),
    }
}
