//! OTLP in protobuf, read in place. The numbers of fields are those of
//! `proto/auditrelay/otlp/v1/logs.proto`; unknown ones are the protocol's future.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::LogRecord;
use crate::draft::Value;
use crate::format::wire::{Fields, Wire};
use crate::rejection::Place;
use crate::request::Reading;

/// `application/x-protobuf` at `/v1/logs`.
pub(crate) fn read<'a>(body: &'a [u8], reading: &mut Reading<'_, 'a>) {
    if request(body, reading).is_none() {
        reading.unreadable(Place::Body);
    }
}

/// None when the body is not what it should be.
fn request<'a>(body: &'a [u8], reading: &mut Reading<'_, 'a>) -> Option<()> {
    messages(body, 1, &mut |resource_logs| {
        let mut service = None;
        messages(resource_logs, 1, &mut |resource| {
            if reading.takes(resource.len()) {
                messages(resource, 1, &mut |attribute| {
                    let (key, value) = key_value(attribute)?;
                    if let (Value::Text(name), "service.name") = (value, key.as_ref()) {
                        service = Some(name);
                    }
                    Some(())
                })?;
            }
            Some(())
        })?;
        messages(resource_logs, 2, &mut |scope_logs| {
            messages(scope_logs, 2, &mut |log| record(log, service.as_ref(), reading))
        })
    })
}

/// Every message in the field of that number, until one is not what it should be.
fn messages<'a>(
    message: &'a [u8],
    wanted: u64,
    each: &mut dyn FnMut(&'a [u8]) -> Option<()>,
) -> Option<()> {
    for field in Fields(message) {
        match field.ok()? {
            (number, Wire::Bytes(bytes)) if number == wanted => each(bytes)?,
            (number, _) if number == wanted => return None,
            _ => {}
        }
    }
    Some(())
}

fn record<'a>(
    log: &'a [u8],
    service: Option<&Cow<'a, str>>,
    reading: &mut Reading<'_, 'a>,
) -> Option<()> {
    let place = reading.item();
    if reading.takes(log.len()) {
        reading.draft(place, Some(super::draft(log_record(log)?, service, log.len())));
    } else {
        reading.pass_over(place, log.len());
    }
    Some(())
}

fn log_record(log: &[u8]) -> Option<LogRecord<'_>> {
    let mut record = LogRecord::default();
    for field in Fields(log) {
        match field.ok()? {
            (1, Wire::Fixed64(nanos)) => record.time = nanos,
            (11, Wire::Fixed64(nanos)) => record.observed = nanos,
            (6, Wire::Bytes(attribute)) => record.attributes.push(key_value(attribute)?),
            (9, Wire::Bytes(id)) if !id.is_empty() => record.trace_id = Some(hexadecimal(id)),
            (12, Wire::Bytes(name)) => record.event_name = Some(text(name)?),
            (1 | 6 | 11 | 12, _) => return None,
            _ => {}
        }
    }
    Some(record)
}

fn key_value(attribute: &[u8]) -> Option<(Cow<'_, str>, Value<'_>)> {
    let (mut key, mut value) = (Cow::Borrowed(""), Value::Other);
    for field in Fields(attribute) {
        match field.ok()? {
            (1, Wire::Bytes(name)) => key = text(name)?,
            (2, Wire::Bytes(any)) => value = any_value(any)?,
            (1 | 2, _) => return None,
            _ => {}
        }
    }
    Some((key, value))
}

/// Arrays, maps, fractions and bytes are of no use in a draft.
fn any_value(any: &[u8]) -> Option<Value<'_>> {
    let mut value = Value::Other;
    for field in Fields(any) {
        value = match field.ok()? {
            (1, Wire::Bytes(bytes)) => Value::Text(text(bytes)?),
            (2, Wire::Varint(flag)) => Value::Flag(flag != 0),
            (3, Wire::Varint(number)) => Value::Integer(number.cast_signed().into()),
            (1..=3, _) => return None,
            _ => Value::Other,
        };
    }
    Some(value)
}

fn text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(bytes).ok().map(Cow::Borrowed)
}

fn hexadecimal(bytes: &[u8]) -> Cow<'static, str> {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Cow::Owned(text)
}
