//! OpenTelemetry logs (OTLP/HTTP), in protobuf and in JSON.
//!
//! A log record is an audit event when its attributes say so: `audit.<property>` is the draft's
//! property of that name, and where one is missing the semantic conventions' attribute for the
//! same thing is taken. Other attributes and the body are nothing to us.

use std::borrow::Cow;

use auditrelay_model::Timestamp;
use auditrelay_model::event::EventKind;
use auditrelay_model::id::EventId;

use crate::draft::{Draft, Field, Value};
use crate::rejection::RejectionKind;

pub(crate) mod json;
pub(crate) mod protobuf;

/// Attributes of ours begin so.
const OURS: &str = "audit.";

/// What both encodings say of a log record.
#[derive(Default)]
struct LogRecord<'a> {
    /// Nanoseconds; 0 is unknown.
    time: u64,
    observed: u64,
    event_name: Option<Cow<'a, str>>,
    /// 32 hexadecimal digits.
    trace_id: Option<Cow<'a, str>>,
    attributes: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// The attribute that stands in where ours is missing.
fn conventional(name: &str) -> Option<(Field, &'static str)> {
    Some(match name {
        "client.address" => (Field::ClientIp, "attributes.client.address"),
        "user.id" => (Field::PrincipalId, "attributes.user.id"),
        "user.name" => (Field::PrincipalName, "attributes.user.name"),
        "user_agent.original" => (Field::UserAgent, "attributes.user_agent.original"),
        "url.path" => (Field::Uri, "attributes.url.path"),
        "url.query" => (Field::Query, "attributes.url.query"),
        "http.request.method" => (Field::Method, "attributes.http.request.method"),
        "http.response.status_code" => (Field::StatusCode, "attributes.http.response.status_code"),
        _ => return None,
    })
}

/// `service` is the `service.name` of the resource.
fn draft<'a>(record: LogRecord<'a>, service: Option<&Cow<'a, str>>, size: usize) -> Draft<'a> {
    let LogRecord { time, observed, event_name, trace_id, attributes } = record;
    let mut draft = Draft::of_size(size);
    draft.names_are(Field::attribute_name);
    let mut others = Vec::new();
    for (key, value) in attributes {
        match key.strip_prefix(OURS).map(Field::from_name) {
            Some(Some(field)) if draft.has(field) => {
                draft.is_wrong(field.attribute_name(), RejectionKind::Repeated);
            }
            Some(Some(field)) => draft.give(field, value),
            Some(None) => draft.is_wrong_at(&format!("attributes.{key}"), RejectionKind::Unknown),
            None => others.push((key, value)),
        }
    }
    for (key, value) in others {
        if let Some((field, name)) = conventional(&key) {
            draft.put(field, value, name);
        } else if key == "log.record.uid" {
            identify(&mut draft, &value);
        }
    }
    if let Some(kind) = event_name.as_deref().and_then(kind_of) {
        draft.put(Field::Type, Value::Text(Cow::Borrowed(kind.name())), "eventName");
    }
    if let Some(trace) = trace_id {
        draft.put(Field::TraceId, Value::Text(trace), "traceId");
    }
    if let Some(service) = service {
        draft.put(Field::Service, Value::Text(service.clone()), "resource.attributes.service.name");
    }
    if let Some(nanos) = [time, observed].into_iter().find(|nanos| *nanos > 0) {
        let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
        draft.put(Field::Ts, Value::Time(Timestamp::from_nanos(nanos)), "timeUnixNano");
    }
    draft
}

/// `authorization`, or a name that ends in `.authorization`.
fn kind_of(event_name: &str) -> Option<EventKind> {
    EventKind::from_name(event_name.rsplit('.').next()?)
}

/// A record that is sent again with its `log.record.uid` is the same event.
fn identify(draft: &mut Draft<'_>, uid: &Value<'_>) {
    let Some(uid) = uid.text().filter(|uid| !uid.is_empty() && !draft.has(Field::Id)) else {
        return;
    };
    match uid.parse::<EventId>() {
        Ok(_) => {
            let value = Value::Text(Cow::Owned(uid.to_owned()));
            draft.put(Field::Id, value, "attributes.log.record.uid");
        }
        Err(_) => draft.has_foreign_id(&["otlp", uid]),
    }
}

#[cfg(test)]
mod tests;
