//! A request on its way to its service, apart from its connection.
//!
//! Some answers are for more than the client that asked: they are kept, or others
//! wait for them. Such a call must not end because one client has left, so it
//! goes on as a task of its own, as long as anybody waits for it. Knows nothing of what
//! its answer is for.

use std::sync::Arc;

use super::endpoint::Endpoint;
use super::exchange::Exchange;
use super::respond::{Refusal, Response};
use super::serve::serve;
use stoa_mesh::CallError;
use stoa_settings::OnDisconnect;

/// A request, and where it goes.
pub(super) struct Onward {
    pub(super) exchange: Exchange,
    pub(super) endpoint: Arc<Endpoint>,
}

impl Onward {
    /// The rest of the way of a request.
    pub(super) fn of(exchange: &mut Exchange, endpoint: &Arc<Endpoint>) -> Self {
        Self {
            exchange: exchange.detach(),
            endpoint: endpoint.clone(),
        }
    }

    /// Asks the service, on a task of its own: who waits may go. Its call ends when all
    /// have `left`.
    ///
    /// `after` gets the answer whoever still waits, and gives what they get.
    pub(super) async fn serve_detached<T, F>(
        mut self,
        left: impl Future<Output = ()> + Send + 'static,
        after: impl FnOnce(Result<Response, Refusal>) -> F + Send + 'static,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let on_disconnect = self.endpoint.on_disconnect(&self.exchange.head.method);
        if let Some(tie) = &self.exchange.tie {
            // The connection asks when this first waits, and the task may not have begun
            // by then. One that goes on says so itself: it may begin while its connection
            // finds that the client has left.
            if on_disconnect == OnDisconnect::Cancel {
                tie.wait(on_disconnect);
            }
        }
        let work = tokio::spawn(async move {
            let answered = tokio::select! {
                biased;
                answered = self.serve() => answered,
                () = left => return Err(Refusal::Call(CallError::Deadline)),
            };
            after(answered).await
        });
        match work.await.map_err(tokio::task::JoinError::try_into_panic) {
            Ok(answer) => answer,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The host ends, and cuts off what is still under way.
            Err(Err(_)) => Err(Refusal::Call(CallError::Deadline)),
        }
    }

    /// Asks the service.
    pub(super) async fn serve(&mut self) -> Result<Response, Refusal> {
        serve(&mut self.exchange, &self.endpoint).await
    }
}
