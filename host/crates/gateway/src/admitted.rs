//! A request that was let in, apart from its connection.
//!
//! Some answers are for more than the client that asked: they are kept, or others
//! wait for them. Such a call must not end because one client has left, so it
//! goes on as a task of its own, as long as anybody waits for it. Knows nothing of what
//! its answer is for.

use std::sync::Arc;

use http::request::Parts;

use super::asked::Asked;
use super::cache::{Target, Write};
use super::client::Client;
use super::endpoint::Endpoint;
use super::input::RequestBody;
use super::origin::Origin;
use super::respond::{Refusal, Response};
use super::serve::serve;
use super::table::{Parameters, Places};
use stoa_call::CallContext;
use stoa_mesh::CallError;
use stoa_settings::OnDisconnect;

/// Everything that [`serve`] needs, owned.
#[derive(Clone)]
pub(super) struct Admitted {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) parts: Parts,
    pub(super) context: CallContext,
    pub(super) origin: Origin,
    pub(super) client: Arc<Client>,
    places: Places,
    /// What it may change of what is cached.
    target: Option<Box<Target>>,
}

impl Admitted {
    pub(super) fn new(
        asked: &Asked<'_>,
        endpoint: &Arc<Endpoint>,
        parts: Parts,
        parameters: &Parameters<'_>,
        context: CallContext,
    ) -> Self {
        Self {
            endpoint: endpoint.clone(),
            places: parameters.places(asked.uri.path()),
            parts,
            context,
            origin: asked.origin.clone(),
            client: asked.client.clone(),
            target: None,
        }
    }

    /// A request that may change something.
    pub(super) fn writing(self, target: Option<Box<Target>>) -> Self {
        Self { target, ..self }
    }

    /// Asks the service, on a task of its own: who waits may go. Its call ends when all
    /// have `left`.
    ///
    /// `after` gets the answer whoever still waits, and gives what they get.
    pub(super) async fn serve_detached<T, F>(
        self,
        body: RequestBody,
        left: impl Future<Output = ()> + Send + 'static,
        after: impl FnOnce(Result<Response, Refusal>) -> F + Send + 'static,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let on_disconnect = self.endpoint.on_disconnect(&self.parts.method);
        if let Some(tie) = &self.context.tie {
            // The connection asks when this first waits, and the task may not have begun
            // by then. One that goes on says so itself: it may begin while its connection
            // finds that the client has left.
            if on_disconnect == OnDisconnect::Cancel {
                tie.wait(on_disconnect);
            }
            tie.has_request();
        }
        let work = tokio::spawn(async move {
            let answered = tokio::select! {
                biased;
                answered = self.serve(body) => answered,
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
    pub(super) async fn serve(self, body: RequestBody) -> Result<Response, Refusal> {
        let mut asked = Asked::new(&self.parts, &self.client);
        asked.origin = self.origin;
        let parameters = self.places.of(asked.uri.path());
        let write = Write::begin(self.target);
        let answered = serve(
            &asked,
            &self.endpoint,
            self.parts,
            body,
            &parameters,
            self.context,
        )
        .await;
        write.settle(&answered);
        answered
    }
}
