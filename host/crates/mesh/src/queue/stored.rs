//! A call as a queue keeps it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use stoa_call::{CallContext, RequestId, TraceContext};

/// What is kept of a call, as JSON: an operator who looks at a queue sees it so.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredCall<'a> {
    /// The function's name.
    #[serde(borrow)]
    pub function: Cow<'a, str>,
    /// Its arguments, an object by the names of the parameters.
    #[serde(borrow)]
    pub arguments: &'a RawValue,
    /// Where in which trace the call was made, as a `traceparent` header.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Cow<'a, str>>,
    /// The request that led to it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Cow<'a, str>>,
}

impl<'a> StoredCall<'a> {
    /// A call of `function` that is made in `context`.
    pub fn new(function: &'a str, arguments: &'a RawValue, context: &CallContext) -> Self {
        Self {
            function: function.into(),
            arguments,
            trace: Some(context.trace.to_string().into()),
            request: Some(context.request_id.to_string().into()),
        }
    }

    /// Reads a stored call.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(body: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|fault| format!("the stored call is damaged: {fault}"))
    }

    /// Writes it.
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and JSON have a JSON form")
    }

    /// Where the call was made. Its delivery is a trace of its own, linked to this one: it
    /// may come days later, and again.
    pub fn made_at(&self) -> Option<TraceContext> {
        TraceContext::parse(self.trace.as_deref()?)
    }

    /// The request that led to it.
    pub fn request_id(&self) -> Option<RequestId> {
        RequestId::parse(self.request.as_deref()?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_call_is_read_as_it_was_written() {
        let context = CallContext::new(Instant::now());
        let arguments = RawValue::from_string(r#"{"id":"ä"}"#.to_owned()).unwrap();
        let body = StoredCall::new("changed", &arguments, &context).write();
        let read = StoredCall::read(&body).unwrap();
        assert_eq!(read.function, "changed");
        assert_eq!(read.arguments.get(), r#"{"id":"ä"}"#);
        assert_eq!(read.made_at(), Some(context.trace));
        assert_eq!(
            read.request_id().unwrap().to_string(),
            context.request_id.to_string()
        );
    }

    #[test]
    fn a_call_from_outside_needs_no_trace() {
        let read = StoredCall::read(br#"{"function":"changed","arguments":{}}"#).unwrap();
        assert!(read.made_at().is_none() && read.request_id().is_none());
        assert!(StoredCall::read(b"{}").unwrap_err().contains("damaged"));
    }
}
