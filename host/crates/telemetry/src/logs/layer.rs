//! From `tracing` to records.
//!
//! A record has the fields of its event and of the spans it is in. A dotted name
//! (`http.route`, `trace.id`, `event.duration` in ns) is taken as ECS' own; any
//! other becomes a label. `service.name` and `service.version` say which service a
//! record is about, so that `stoa logs SERVICE` shows what the host did to it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::record::{Fields, Record, Value, clip, full_name, timestamp};
use super::writer::Origin;
use super::{Pipeline, filter};

/// Turns events into records of a [`Pipeline`].
#[derive(Debug)]
pub(super) struct EventLayer(pub(super) Arc<Pipeline>);

/// What a visit of an event or span finds.
#[derive(Debug, Default)]
struct Found {
    message: String,
    fields: Fields,
}

/// The fields of a span, kept with it.
struct SpanFields(Fields);

/// Where `log` records, which come without metadata of their own, say their target.
const LOG_TARGET: &str = "log.target";
/// The rest of what they say; a target is enough.
const LOG_PLACE: [&str; 3] = ["log.module_path", "log.file", "log.line"];

// === impl EventLayer ===

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for EventLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut found = Found::default();
        attributes.record(&mut found);
        if let (Some(span), false) = (context.span(id), found.fields.is_empty()) {
            span.extensions_mut().insert(SpanFields(found.fields));
        }
    }

    fn on_record(&self, id: &Id, values: &tracing::span::Record<'_>, context: Context<'_, S>) {
        let mut found = Found::default();
        values.record(&mut found);
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<SpanFields>() {
            Some(SpanFields(fields)) => fields.set_all(&found.fields),
            None => extensions.insert(SpanFields(found.fields)),
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut found = Found::default();
        let spans = context.event_scope(event).into_iter();
        for span in spans.flat_map(|scope| scope.from_root()) {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                found.fields.set_all(fields);
            }
        }
        event.record(&mut found);
        self.0
            .emit(&found.into_record(event, &self.0), Origin::Host);
    }
}

// === impl Found ===

impl Found {
    fn into_record<'a>(mut self, event: &Event<'a>, pipeline: &Pipeline) -> Record<'a> {
        let metadata = event.metadata();
        let or_own = |found: Option<String>, own: &'static str| match found {
            Some(text) => Cow::Owned(text),
            None => Cow::Borrowed(own),
        };
        for name in LOG_PLACE {
            self.fields.take(name);
        }
        let host = pipeline.host();
        let service = self.fields.take("service.name");
        // Of a service whose version is not told, the host's would be wrong.
        let version = if service.is_some() { "" } else { host.version };
        Record {
            timestamp: timestamp().into(),
            level: (*metadata.level()).into(),
            message: clip(self.message.into()),
            service: or_own(service, host.name),
            version: or_own(self.fields.take("service.version"), version),
            logger: match self.fields.take(LOG_TARGET) {
                Some(target) => target.into(),
                None => filter::for_people(metadata.target()),
            },
            fields: self.fields,
        }
    }

    fn set(&mut self, field: &Field, value: Value) {
        self.fields.set(full_name(field.name()), value);
    }

    fn set_text(&mut self, field: &Field, text: String) {
        if field.name() == "message" {
            self.message = text;
        } else {
            self.set(field, Value::text(text));
        }
    }
}

impl Visit for Found {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set_text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, Value::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, Value::Unsigned(value));
    }

    /// 128 bits are a trace's id, which W3C Trace Context writes in hexadecimal.
    fn record_u128(&mut self, field: &Field, value: u128) {
        self.set(field, Value::Text(format!("{value:032x}")));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, Value::Float(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Value::Bool(value));
    }

    /// With the errors that caused it.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        self.set_text(field, text);
    }
}
