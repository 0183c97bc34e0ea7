//! Queues.

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, ClientError, json, segment};
use stoa_api::{
    QueueCall, QueueCount, QueueLook, QueueMessage, QueuePause, QueuePurge, QueueReceipt,
    QueueRedrive, QueueState,
};

impl Client {
    /// All queues.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn queues(&self) -> Result<Vec<QueueState>, ClientError> {
        self.get("/v1/queues").await
    }

    /// What a queue holds.
    ///
    /// # Errors
    /// If the host can't be reached or refuses, as for an unknown queue.
    pub async fn queue_messages(
        &self,
        queue: &str,
        look: &QueueLook,
    ) -> Result<Vec<QueueMessage>, ClientError> {
        let asked = [
            ("subscriber", look.subscriber.clone()),
            ("state", look.state.clone()),
            ("after", look.after.map(|id| id.to_string())),
            ("limit", look.limit.map(|limit| limit.to_string())),
        ];
        let asked = asked.into_iter().filter_map(|(name, value)| {
            let value = value?;
            Some(format!("{name}={}", segment(&value)))
        });
        let asked: Vec<_> = asked.collect();
        let path = format!("/v1/queues/{}/messages?{}", segment(queue), asked.join("&"));
        self.get(&path).await
    }

    /// Keeps a call.
    ///
    /// # Errors
    /// If the host can't be reached or refuses, as for arguments that do not fit.
    pub async fn enqueue(
        &self,
        queue: &str,
        call: &QueueCall,
    ) -> Result<QueueReceipt, ClientError> {
        self.ask_queue(Method::POST, queue, "", call).await
    }

    /// Has calls that were given up delivered again.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn redrive(
        &self,
        queue: &str,
        request: &QueueRedrive,
    ) -> Result<QueueCount, ClientError> {
        self.ask_queue(Method::POST, queue, "/redrive", request)
            .await
    }

    /// Drops calls.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn purge_queue(
        &self,
        queue: &str,
        request: &QueuePurge,
    ) -> Result<QueueCount, ClientError> {
        self.ask_queue(Method::POST, queue, "/purge", request).await
    }

    /// Has a queue deliver nothing, or deliver again.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn pause_queue(&self, queue: &str, paused: bool) -> Result<QueueState, ClientError> {
        let request = QueuePause { paused };
        self.ask_queue(Method::PUT, queue, "/paused", &request)
            .await
    }

    async fn ask_queue<T: DeserializeOwned>(
        &self,
        method: Method,
        queue: &str,
        below: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let path = format!("/v1/queues/{}{below}", segment(queue));
        let sent = self.send(method, &path, Some(json(body)));
        self.parsed(sent.await?).await
    }
}
