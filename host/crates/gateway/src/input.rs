//! Reading a request's body for a function.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

use stoa_call::deadline::within;
use stoa_engine::http::BodyError;
use stoa_http::compress::{self, Coding, DecodeError};
use stoa_http::min_rate::MinRateError;
use stoa_http::remainder::IncomingBody;
use stoa_mesh::{RequestBodyState, UploadFault};
use stoa_telemetry::Metrics;
use stoa_transcode::BodyForm;

/// What the body of a request to a function may be coded in.
pub(super) const ACCEPTED_CODINGS: &str = "gzip, br, zstd";

/// Why a body could not be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyFault {
    #[error(
        "expected a body of type application/json, found {found}: send JSON, with Content-Type: application/json"
    )]
    MediaType { found: String },
    #[error(
        "expected a body as it is, or in one of the content codings {ACCEPTED_CODINGS}, found {found:?}"
    )]
    Coding { found: String },
    #[error("expected a body in {}, as its Content-Encoding says, found {found}", coding.name())]
    Encoded { coding: Coding, found: &'static str },
    #[error(transparent)]
    Upload(#[from] UploadFault),
}

impl From<DecodeError> for BodyFault {
    fn from(fault: DecodeError) -> Self {
        match fault {
            DecodeError::Unknown { found } => Self::Coding { found },
            DecodeError::TooLarge { limit } => UploadFault::TooLarge { limit }.into(),
            DecodeError::Damaged { coding, found } => Self::Encoded { coding, found },
        }
    }
}

impl From<BodyError> for BodyFault {
    fn from(_: BodyError) -> Self {
        UploadFault::Broken.into()
    }
}

/// A request's body: on its way, or there already.
pub(super) enum RequestBody {
    Wire(IncomingBody),
    Whole(Bytes),
}

/// Why it ended early.
#[derive(Debug)]
pub(super) struct ReadError(MinRateError<hyper::Error>);

impl From<ReadError> for BodyFault {
    fn from(ReadError(fault): ReadError) -> Self {
        match fault {
            MinRateError::TooSlow => UploadFault::TooSlow.into(),
            MinRateError::Broken(_) => UploadFault::Broken.into(),
        }
    }
}

impl From<ReadError> for BodyError {
    fn from(ReadError(fault): ReadError) -> Self {
        match fault {
            MinRateError::TooSlow => Self::ConnectionReadTimeout,
            MinRateError::Broken(fault) => Self::Hyper(fault),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = ReadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Wire(body) => Pin::new(body).poll_frame(cx).map_err(ReadError),
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Wire(body) => body.is_end_stream(),
            Self::Whole(bytes) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Wire(body) => body.size_hint(),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

/// How much of a body is read, and until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes: of what was sent, and of what that is once it is decoded.
    pub(super) limit: u64,
    pub(super) deadline: Instant,
}

/// Reads what a function takes of a request: JSON as it was meant, anything else as it
/// was sent.
pub(super) async fn read<B>(
    form: BodyForm,
    headers: &HeaderMap,
    body: B,
    Bounds { limit, deadline }: Bounds,
) -> Result<Bytes, BodyFault>
where
    B: Body<Data = Bytes, Error: Into<BodyFault>> + Unpin,
{
    announced_within(&body, limit)?;
    let mut coded = None;
    if form == BodyForm::Json && !body.is_end_stream() {
        check_media_type(headers)?;
        coded = compress::content_coding(headers)?;
    }
    let sent = within(deadline, collect(body, limit))
        .await
        .map_err(|_| UploadFault::TooSlow)??;
    match coded {
        Some(coding) => Ok(compress::decode(coding, &sent, limit)?),
        None => Ok(sent),
    }
}

/// Reads a body of any type whole, at the latest by `deadline`.
pub(super) async fn read_whole(
    body: RequestBody,
    limit: u64,
    deadline: Instant,
) -> Result<Bytes, BodyFault> {
    announced_within(&body, limit)?;
    within(deadline, collect(body, limit))
        .await
        .map_err(|_| UploadFault::TooSlow)?
}

/// Refuses a body whose announced length is over the limit, before it is read.
fn announced_within(body: &impl Body, limit: u64) -> Result<(), BodyFault> {
    if body.size_hint().lower() > limit {
        Err(UploadFault::TooLarge { limit }.into())
    } else {
        Ok(())
    }
}

/// `application/json` and types built on it, RFC 6839; charset parameters are
/// ignored as RFC 8259 asks.
fn check_media_type(headers: &HeaderMap) -> Result<(), BodyFault> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Err(BodyFault::MediaType {
            found: "none named".to_owned(),
        });
    };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    let (kind, subtype) = essence.split_once('/').unwrap_or((essence, ""));
    let json = kind.eq_ignore_ascii_case("application")
        && (subtype.eq_ignore_ascii_case("json")
            || subtype.to_ascii_lowercase().ends_with("+json"));
    if json {
        Ok(())
    } else {
        Err(BodyFault::MediaType {
            found: format!("{text:?}"),
        })
    }
}

/// A body that comes in one piece, as nearly all do, is not copied.
async fn collect<B>(mut body: B, limit: u64) -> Result<Bytes, BodyFault>
where
    B: Body<Data = Bytes, Error: Into<BodyFault>> + Unpin,
{
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Into::into)?.into_data() else {
            continue;
        };
        if (first.len() + whole.len() + data.len()) as u64 > limit {
            return Err(UploadFault::TooLarge { limit }.into());
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&data);
        }
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.freeze()
    })
}

/// A body on its way into a service, cut off at the route's limit. Tells its upload
/// what becomes of it.
pub(super) struct Limited<B = RequestBody> {
    body: B,
    limit: u64,
    left: u64,
    upload: RequestBodyState,
}

impl<B: Body> Limited<B> {
    /// # Errors
    /// When the body is announced to be over the limit.
    pub(super) fn new(
        body: B,
        limit: u64,
        metrics: &Arc<Metrics>,
    ) -> Result<(Self, RequestBodyState), BodyFault> {
        announced_within(&body, limit)?;
        let upload = RequestBodyState::of(&body, limit, metrics);
        let limited = Self {
            body,
            limit,
            left: limit,
            upload: upload.clone(),
        };
        Ok((limited, upload))
    }

    /// Takes a frame's length from what is left.
    fn admit(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let left = self.left.checked_sub(length);
        self.left = left.ok_or(BodyError::HttpRequestBodySize(Some(self.limit)))?;
        Ok(frame)
    }
}

impl<B: Body<Data = Bytes, Error: Into<BodyError>> + Unpin> Body for Limited<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            self.upload.waits();
            return Poll::Pending;
        };
        self.upload.came();
        let admitted = frame.map(|frame| {
            let frame = frame.map_err(Into::into)?;
            self.admit(frame)
        });
        if let Some(Err(error)) = &admitted {
            self.upload.fails(error);
        }
        Poll::Ready(admitted)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
