//! A function that a revision exports, as a target.

use std::pin::pin;
use std::sync::Arc;

use super::Export;
use super::lease::{acquire, flatten};
use super::threads::{Begun, Elsewhere};
use crate::fault::CallError;
use stoa_call::CallContext;
use stoa_call::deadline::within;
use stoa_engine::FunctionIndex;
use stoa_engine::shared::Call;
use stoa_engine::value::Val;
use stoa_service::pool::Lease;
use stoa_service::revision::Revision;

/// An exported function of a revision.
#[derive(Clone)]
pub struct Function {
    /// Whose it is.
    pub revision: Arc<Revision>,
    /// Which of its functions.
    pub index: FunctionIndex,
}

impl Function {
    /// Calls it once.
    pub(crate) async fn call(
        &self,
        context: &CallContext,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<(), CallError> {
        match self.revision.pool.elsewhere() {
            None => self.call_here(context, params, results, None).await,
            Some(there) => {
                let called = Elsewhere(there).call(self, context, params, results);
                Box::pin(called).await
            }
        }
    }

    /// The same, on the current thread. `begun` is told of the instance.
    pub(super) async fn call_here(
        &self,
        context: &CallContext,
        params: &[Val],
        results: &mut [Val],
        begun: Option<&Begun>,
    ) -> Result<(), CallError> {
        let deadline = context.deadline;
        let (lease, late) = acquire(&self.revision, context, begun).await?;
        let called = match lease {
            Lease::Exclusive(mut lease) => {
                // Pinned where it is made: it is too large to be moved.
                let called = {
                    let called = pin!(lease.call(self.index, context, params, results));
                    within(deadline, called).await
                };
                flatten(called).map(|()| lease.keep())
            }
            Lease::Shared(lease) => {
                let instance = lease.instance();
                let call = Call {
                    function: self.index,
                    params: params.to_vec(),
                    results: results.len(),
                };
                let called = instance.call(Box::new(lease), call, context.clone());
                flatten(Box::pin(within(deadline, called)).await)
                    .map(|mut values| results.swap_with_slice(&mut values))
            }
        };
        called.map_err(|error| error.begun(late))
    }
}

impl Export for Function {
    fn revision(&self) -> &Revision {
        &self.revision
    }

    fn name(&self) -> &str {
        &self.revision.code.function(self.index).function
    }
}
