//! OTLP in JSON: names in camel case, 64-bit numbers as texts, ids in hexadecimal.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::LogRecord;
use crate::draft::Value;
use crate::format::raw;
use crate::rejection::Place;
use crate::request::Reading;

/// Lists are kept as text and read item by item. Unknown names are the protocol's future.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow, default)]
    resource_logs: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs<'a> {
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scope_logs: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs<'a> {
    #[serde(borrow, default)]
    log_records: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(borrow, default)]
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Log<'a> {
    #[serde(borrow, default)]
    time_unix_nano: Option<Value<'a>>,
    #[serde(borrow, default)]
    observed_time_unix_nano: Option<Value<'a>>,
    #[serde(borrow, default)]
    event_name: Option<Value<'a>>,
    #[serde(borrow, default)]
    trace_id: Option<Value<'a>>,
    #[serde(borrow, default)]
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Deserialize)]
struct KeyValue<'a> {
    #[serde(borrow, default)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Option<AnyValue<'a>>,
}

#[derive(Deserialize)]
struct AnyValue<'a> {
    #[serde(borrow, default, rename = "stringValue")]
    text: Option<Value<'a>>,
    #[serde(borrow, default, rename = "boolValue")]
    flag: Option<Value<'a>>,
    #[serde(borrow, default, rename = "intValue")]
    integer: Option<Value<'a>>,
}

impl<'a> AnyValue<'a> {
    fn value(self) -> Value<'a> {
        let integer = self.integer.map(|value| number(&value).map_or(value, Value::Integer));
        self.text.or(self.flag).or(integer).unwrap_or(Value::Other)
    }
}

impl<'a> KeyValue<'a> {
    fn pair(self) -> (Cow<'a, str>, Value<'a>) {
        (self.key, self.value.map_or(Value::Other, AnyValue::value))
    }
}

/// `application/json` at `/v1/logs`.
pub(crate) fn read<'a>(body: &'a [u8], reading: &mut Reading<'_, 'a>) {
    if request(body, reading).is_none() {
        reading.unreadable(Place::Body);
    }
}

/// None when the body is not what it should be.
fn request<'a>(body: &'a [u8], reading: &mut Reading<'_, 'a>) -> Option<()> {
    // What reads an object also reads an array of its values.
    body.iter().find(|byte| !byte.is_ascii_whitespace()).filter(|first| **first == b'{')?;
    let request: Request<'a> = serde_json::from_slice(body).ok()?;
    each(request.resource_logs, &mut |resource| {
        let logs: ResourceLogs<'a> = serde_json::from_str(resource.get()).ok()?;
        let service = match logs.resource {
            Some(resource) if reading.takes(resource.get().len()) => service(resource).ok()?,
            Some(_) | None => None,
        };
        each(logs.scope_logs, &mut |scope| {
            let logs: ScopeLogs<'a> = serde_json::from_str(scope.get()).ok()?;
            each(logs.log_records, &mut |log| record(log, service.as_ref(), reading))
        })
    })
}

/// Every item of a list, until one is not what it should be.
fn each<'a>(
    list: Option<&'a RawValue>,
    item: &mut dyn FnMut(&'a RawValue) -> Option<()>,
) -> Option<()> {
    let Some(list) = list else { return Some(()) };
    let mut good = Some(());
    let all = raw::array(list.get().as_bytes(), &mut |one| good = good.and_then(|()| item(one)));
    good.filter(|()| all)
}

/// The `service.name` of a resource, if it has one.
fn service<'a>(resource: &'a RawValue) -> Result<Option<Cow<'a, str>>, serde_json::Error> {
    let resource: Resource<'a> = serde_json::from_str(resource.get())?;
    let mut pairs = resource.attributes.into_iter().map(KeyValue::pair);
    let value = pairs.find(|(key, _)| key == "service.name").map(|(_, value)| value);
    Ok(value.and_then(into_text))
}

fn record<'a>(
    log: &'a RawValue,
    service: Option<&Cow<'a, str>>,
    reading: &mut Reading<'_, 'a>,
) -> Option<()> {
    let size = log.get().len();
    if !reading.takes(size) {
        reading.pass_over(reading.item(), size);
        return Some(());
    }
    let log: Log<'a> = serde_json::from_str(log.get()).ok()?;
    let nanos = |value: Option<Value<'_>>| value.as_ref().and_then(number).unwrap_or(0);
    let record = LogRecord {
        time: u64::try_from(nanos(log.time_unix_nano)).unwrap_or(u64::MAX),
        observed: u64::try_from(nanos(log.observed_time_unix_nano)).unwrap_or(u64::MAX),
        event_name: log.event_name.and_then(into_text),
        trace_id: log.trace_id.and_then(into_text).filter(|id| !id.is_empty()),
        attributes: log.attributes.into_iter().map(KeyValue::pair).collect(),
    };
    reading.draft(reading.item(), Some(super::draft(record, service, size)));
    Some(())
}

/// A whole number, which JSON of protobuf may write as a text.
fn number(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        Value::Flag(_) | Value::Time(_) | Value::Other => None,
    }
}

fn into_text(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(text) => Some(text),
        Value::Flag(_) | Value::Integer(_) | Value::Time(_) | Value::Other => None,
    }
}
