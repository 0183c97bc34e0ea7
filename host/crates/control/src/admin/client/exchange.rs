//! One request and its answer, or why there is none.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::{Body, Client, ClientError};
use stoa_api::Problem;

/// The longest answer that is read at once, in bytes: a contract or an OpenAPI
/// document is far below.
const LONGEST: usize = 32 << 20;

impl Client {
    pub(super) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = self.request(method, path);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = Full::new(body.unwrap_or_default()).map_err(|never| match never {});
        self.exchange(request, body.boxed()).await
    }

    pub(super) async fn exchange(
        &self,
        request: http::request::Builder,
        body: Body,
    ) -> Result<Response<Incoming>, ClientError> {
        let bad = |fault: http::Error| ClientError::Request(fault.to_string());
        let request = request.body(body).map_err(bad)?;
        let response = self.http.request(request).await;
        response.map_err(|fault| ClientError::of_exchange(&self.base, &fault))
    }

    /// A response of success, or the reason that the host gives.
    pub(super) async fn accepted(
        &self,
        response: Response<Incoming>,
    ) -> Result<Response<Incoming>, ClientError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let address = self.base.clone();
        if status == StatusCode::UNAUTHORIZED {
            return Err(ClientError::Unauthorized { address });
        }
        let bytes = self.whole(response).await?;
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Err(ClientError::Refused(Box::new(problem))),
            Err(_) => Err(ClientError::Foreign {
                address,
                found: format!("status {status}"),
            }),
        }
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.parsed(self.send(Method::GET, path, None).await?).await
    }

    pub(super) async fn parsed<T: DeserializeOwned>(
        &self,
        response: Response<Incoming>,
    ) -> Result<T, ClientError> {
        let bytes = self.whole(self.accepted(response).await?).await?;
        serde_json::from_slice(&bytes).map_err(|fault| ClientError::Foreign {
            address: self.base.clone(),
            found: format!("an answer of another shape ({fault})"),
        })
    }

    pub(super) async fn whole(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        body.map(|body| body.to_bytes())
            .map_err(|fault| ClientError::Broken {
                address: self.base.clone(),
                cause: fault.to_string(),
            })
    }
}
