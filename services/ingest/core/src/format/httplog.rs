//! Records of Kong Gateway's `http-log` plugin: each is a request that went through the gateway.
//!
//! Clients of the gateway choose much of what stands in a record. None of it may spoil the records
//! beside it: their texts are cut to size instead of refused.

use std::borrow::Cow;

use auditrelay_model::Timestamp;
use auditrelay_model::event::EventKind;
use auditrelay_model::id::EventId;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::raw;
use crate::admit::{LONG, METHOD, SHORT};
use crate::draft::{Draft, Field, Value};
use crate::rejection::{Place, Rejection, RejectionKind};
use crate::request::Reading;

/// What we read of a record; it has much more.
#[derive(Deserialize)]
struct Log<'a> {
    #[serde(borrow, default)]
    request: Option<Request<'a>>,
    #[serde(borrow, default)]
    response: Option<Response<'a>>,
    #[serde(borrow, default)]
    consumer: Option<Consumer<'a>>,
    #[serde(borrow, default)]
    authenticated_entity: Option<Entity<'a>>,
    #[serde(borrow, default)]
    trace_id: Option<TraceId<'a>>,
    #[serde(borrow, default)]
    client_ip: Option<Value<'a>>,
    #[serde(borrow, default)]
    started_at: Option<Value<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Request<'a> {
    #[serde(borrow)]
    id: Option<Value<'a>>,
    #[serde(borrow)]
    method: Option<Value<'a>>,
    #[serde(borrow)]
    uri: Option<Value<'a>>,
    #[serde(borrow)]
    querystring: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Option<Headers<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Headers<'a> {
    #[serde(borrow, rename = "user-agent")]
    user_agent: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Response<'a> {
    #[serde(borrow)]
    status: Option<Value<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Consumer<'a> {
    #[serde(borrow)]
    id: Option<Value<'a>>,
    #[serde(borrow)]
    username: Option<Value<'a>>,
    #[serde(borrow)]
    custom_id: Option<Value<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entity<'a> {
    #[serde(borrow)]
    id: Option<Value<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TraceId<'a> {
    #[serde(borrow)]
    w3c: Option<Value<'a>>,
}

/// How a record names what a draft must have.
fn name(field: Field) -> &'static str {
    match field {
        Field::Ts => "started_at",
        Field::Method => "request.method",
        Field::Uri => "request.uri",
        Field::StatusCode => "response.status",
        other => other.name(),
    }
}

/// One record, or an array of them.
pub(crate) fn read<'a>(body: &'a [u8], reading: &mut Reading<'_, 'a>) {
    let many = raw::is_array(body);
    let read = raw::one_or_many(body, &mut |log| {
        let place = if many { reading.item() } else { Place::Body };
        record(log, place, reading);
    });
    if read {
        reading.at_least_one();
    } else {
        reading.unreadable(Place::Body);
    }
}

fn record<'a>(log: &'a RawValue, place: Place, reading: &mut Reading<'_, 'a>) {
    let (text, size) = (log.get(), log.get().len());
    if !reading.takes(size) {
        return reading.pass_over(place, size);
    }
    if !text.starts_with('{') {
        return reading.draft(place, None);
    }
    if let Ok(log) = serde_json::from_str::<Log<'a>>(text) {
        reading.draft(place, Some(draft(log, size)));
    } else {
        let kind = RejectionKind::Invalid("is not a log record of Kong Gateway".into());
        reading.broken(Rejection::at(place, kind));
    }
}

fn draft(log: Log<'_>, size: usize) -> Draft<'_> {
    let mut draft = Draft::of_size(size);
    draft.names_are(name);
    draft.put(Field::Type, Value::Text(Cow::Borrowed(EventKind::Access.name())), "type");
    let request = log.request.unwrap_or_default();
    let consumer = log.consumer.unwrap_or_default();
    let trace = log.trace_id.unwrap_or_default().w3c;
    let entity = log.authenticated_entity.unwrap_or_default();
    identify(&mut draft, request.id.as_ref());
    let agent = request.headers.unwrap_or_default().user_agent.and_then(first_text);
    let query = request.querystring.map(RawValue::get).filter(|query| *query != "{}");
    for (field, value, name, max) in [
        (Field::Method, request.method, "request.method", METHOD),
        (Field::Uri, request.uri, "request.uri", LONG),
        (Field::UserAgent, agent, "request.headers.user-agent", LONG),
        (Field::PrincipalId, consumer.id.or(entity.id), "consumer.id", SHORT),
        (Field::PrincipalName, consumer.username, "consumer.username", SHORT),
        (Field::PrincipalName, consumer.custom_id, "consumer.custom_id", SHORT),
        (Field::TraceId, trace.or(request.id), "trace_id.w3c", SHORT),
        (Field::ClientIp, log.client_ip, "client_ip", SHORT),
        (Field::StatusCode, log.response.unwrap_or_default().status, "response.status", SHORT),
        (Field::Ts, log.started_at.as_ref().map(time), "started_at", SHORT),
    ] {
        if let Some(value) = value {
            draft.put(field, cut(value, max), name);
        }
    }
    if let Some(query) = query.filter(|query| query.starts_with('{') && query.len() <= LONG) {
        draft.put(Field::Query, Value::Text(Cow::Borrowed(query)), "request.querystring");
    }
    draft
}

/// Kong gives every request an id; a record that is sent again is the same event.
fn identify(draft: &mut Draft<'_>, id: Option<&Value<'_>>) {
    let Some(id) = id.and_then(Value::text).filter(|id| !id.is_empty()) else { return };
    match id.parse::<EventId>() {
        Ok(_) => draft.put(Field::Id, Value::Text(Cow::Owned(id.to_owned())), "request.id"),
        Err(_) => draft.has_foreign_id(&["kong", id]),
    }
}

/// Milliseconds since the epoch.
fn time<'a>(value: &Value<'_>) -> Value<'a> {
    let Value::Integer(millis) = value else { return Value::Other };
    let nanos = i64::try_from(millis.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    Value::Time(Timestamp::from_nanos(nanos))
}

/// A header that came more than once is a list: its first value.
fn first_text(raw: &RawValue) -> Option<Value<'_>> {
    if raw.get().starts_with('[') {
        let all: Vec<Value<'_>> = serde_json::from_str(raw.get()).ok()?;
        return all.into_iter().find(|value| value.text().is_some());
    }
    serde_json::from_str(raw.get()).ok().filter(|value: &Value<'_>| value.text().is_some())
}

/// A text cut to so many characters.
fn cut(value: Value<'_>, max: usize) -> Value<'_> {
    let Value::Text(text) = value else { return value };
    let Some((end, _)) = text.char_indices().nth(max) else { return Value::Text(text) };
    Value::Text(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..end).unwrap_or_default()),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    })
}

#[cfg(test)]
mod tests;
