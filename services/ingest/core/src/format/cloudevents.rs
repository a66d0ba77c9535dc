//! `CloudEvents` 1.0: the envelope says when and where from, `data` is a draft.

use std::borrow::Cow;

use auditrelay_model::event::EventKind;
use auditrelay_model::id::EventId;
use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde_json::value::RawValue;

use super::raw::{self, Present};
use crate::draft::{Draft, DraftSeed, Field, Value};
use crate::rejection::{JsonType, Place, Rejection, RejectionKind};
use crate::request::Reading;

/// An event in JSON. Extensions that are not named here are nothing to us.
#[derive(Deserialize, Default)]
struct Envelope<'a> {
    #[serde(borrow)]
    specversion: Option<Value<'a>>,
    #[serde(borrow)]
    id: Option<Value<'a>>,
    #[serde(borrow)]
    source: Option<Value<'a>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Value<'a>>,
    #[serde(borrow)]
    time: Option<Value<'a>>,
    #[serde(borrow)]
    subject: Option<Value<'a>>,
    #[serde(borrow)]
    datacontenttype: Option<Value<'a>>,
    #[serde(borrow)]
    traceparent: Option<Value<'a>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    data_base64: Present,
}

/// `application/cloudevents+json`.
pub(crate) fn structured<'a>(body: &'a [u8], reading: &mut Reading<'_, 'a>) {
    match serde_json::from_slice::<&RawValue>(body) {
        Ok(event) => read(event, Place::Body, reading),
        Err(_) => reading.unreadable(Place::Body),
    }
}

/// `application/cloudevents-batch+json`.
pub(crate) fn batch<'a>(body: &'a [u8], reading: &mut Reading<'_, 'a>) {
    if serde_json::from_slice::<&RawValue>(body).is_ok() && !raw::is_array(body) {
        return reading.refuse(RejectionKind::Type(JsonType::Array));
    }
    if raw::array(body, &mut |event| read(event, reading.item(), reading)) {
        reading.at_least_one();
    } else {
        reading.unreadable(Place::Body);
    }
}

/// The envelope in `ce-…` headers, given as names without their prefix; the body is `data`.
pub(crate) fn binary<'a>(
    body: &'a [u8],
    attributes: &[(String, String)],
    reading: &mut Reading<'_, 'a>,
) {
    let attribute = |name: &str| {
        let found = attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| Value::Text(Cow::Owned(value.clone())))
    };
    let Ok(data) = serde_json::from_slice::<&RawValue>(body) else {
        return reading.unreadable(Place::Body);
    };
    let envelope = Envelope {
        specversion: attribute("specversion"),
        id: attribute("id"),
        source: attribute("source"),
        kind: attribute("type"),
        time: attribute("time"),
        subject: attribute("subject"),
        traceparent: attribute("traceparent"),
        data: Some(data),
        ..Envelope::default()
    };
    sort(envelope, body.len(), Place::Body, reading);
}

fn read<'a>(event: &'a RawValue, place: Place, reading: &mut Reading<'_, 'a>) {
    let (text, size) = (event.get(), event.get().len());
    if !reading.takes(size) {
        return reading.pass_over(place, size);
    }
    if !text.starts_with('{') {
        return reading.draft(place, None);
    }
    match serde_json::from_str::<Envelope<'a>>(text) {
        Ok(envelope) => sort(envelope, size, place, reading),
        // A name that comes twice, or an escape that is none.
        Err(_) => reading.unreadable(place),
    }
}

fn sort<'a>(envelope: Envelope<'a>, size: usize, place: Place, reading: &mut Reading<'_, 'a>) {
    let data = envelope.data.map(|data| {
        let mut deserializer = serde_json::Deserializer::from_str(data.get());
        DraftSeed.deserialize(&mut deserializer)
    });
    let mut wrong = mistakes(&envelope);
    let data = match data {
        None if envelope.data_base64.is_some() => {
            wrong.push(("data_base64", RejectionKind::Invalid("is not read: use data".into())));
            None
        }
        None => {
            wrong.push(("data", RejectionKind::Required));
            None
        }
        Some(Ok(None)) => {
            wrong.push(("data", RejectionKind::Type(JsonType::Object)));
            None
        }
        Some(Ok(Some(data))) => Some(data),
        Some(Err(_)) => {
            let field = place.property("data");
            return reading.broken(Rejection { field, kind: RejectionKind::Syntax });
        }
    };
    let hopeless = data.is_none();
    let mut draft = data.unwrap_or_default();
    draft.names_are(Field::data_name);
    for name in draft.unknown.iter_mut().chain(&mut draft.repeated) {
        name.insert_str(0, "data.");
    }
    draft.size = size;
    if hopeless {
        draft.is_hopeless();
    }
    for (name, kind) in wrong {
        draft.is_wrong(name, kind);
    }
    fill(&mut draft, envelope);
    reading.draft(place, Some(draft));
}

/// What is wrong with the envelope itself.
fn mistakes(envelope: &Envelope<'_>) -> Vec<(&'static str, RejectionKind)> {
    let mut wrong = Vec::new();
    match &envelope.specversion {
        Some(Value::Text(version)) if version == "1.0" => {}
        None => wrong.push(("specversion", RejectionKind::Required)),
        Some(_) => wrong.push(("specversion", RejectionKind::Choice(vec!["1.0"]))),
    }
    for (name, value) in
        [("id", &envelope.id), ("source", &envelope.source), ("type", &envelope.kind)]
    {
        match value {
            Some(Value::Text(text)) if text.is_empty() => wrong.push((name, RejectionKind::Blank)),
            Some(Value::Text(_)) => {}
            None => wrong.push((name, RejectionKind::Required)),
            Some(_) => wrong.push((name, RejectionKind::Type(JsonType::String))),
        }
    }
    let json =
        envelope.datacontenttype.as_ref().is_none_or(|kind| kind.text().is_some_and(is_json));
    if !json {
        let kind = RejectionKind::Invalid("must be application/json".into());
        wrong.push(("datacontenttype", kind));
    }
    wrong
}

fn is_json(media: &str) -> bool {
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || media.ends_with("+json")
}

/// What the envelope says beside its data; the data's own word counts first.
fn fill<'a>(draft: &mut Draft<'a>, envelope: Envelope<'a>) {
    let Envelope { id, source, kind, time, subject, traceparent, .. } = envelope;
    if let (false, Some(id), Some(source)) = (
        draft.has(Field::Id),
        id.as_ref().and_then(Value::text),
        source.as_ref().and_then(Value::text),
    ) {
        match id.parse::<EventId>() {
            Ok(_) => draft.put(Field::Id, Value::Text(Cow::Owned(id.to_owned())), "id"),
            Err(_) => draft.has_foreign_id(&[source, id]),
        }
    }
    if let Some(kind) = kind.as_ref().and_then(Value::text) {
        let last = kind.rsplit('.').next().unwrap_or_default();
        let known = EventKind::from_name(last).map_or("", EventKind::name);
        draft.put(Field::Type, Value::Text(Cow::Borrowed(known)), "type");
    }
    if let Some(trace) = traceparent.as_ref().and_then(Value::text).and_then(trace_id) {
        draft.put(Field::TraceId, Value::Text(Cow::Owned(trace.to_owned())), "traceparent");
    }
    for (field, value, name) in [
        (Field::Ts, time, "time"),
        (Field::Service, source, "source"),
        (Field::Resource, subject, "subject"),
    ] {
        if let Some(value) = value {
            draft.put(field, value, name);
        }
    }
}

/// The trace of a `traceparent`.
fn trace_id(traceparent: &str) -> Option<&str> {
    let id = traceparent.split('-').nth(1)?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

#[cfg(test)]
mod tests;
