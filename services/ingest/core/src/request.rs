//! A request's body: one object, an array of objects, NDJSON, or one of the formats that platforms
//! speak already ([`crate::format`]).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::draft::{Draft, DraftSeed, Skip};
use crate::format::{cloudevents, httplog, otlp, publish};
use crate::rejection::{JsonType, Place, Rejection, RejectionKind, Rejections};

/// How a body is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// `application/json`: one object, or an array of objects.
    Json,
    /// `application/x-ndjson`: an object a line; blank lines are nothing.
    Ndjson,
    /// `application/x-protobuf`: a `PublishRequest`.
    Protobuf,
    /// `application/cloudevents+json`: one event of `CloudEvents` 1.0.
    CloudEvent,
    /// `application/cloudevents-batch+json`: an array of them.
    CloudEvents,
    /// The body is the data of such an event whose attributes stood in headers: name without `ce-`,
    /// and value.
    CloudEventData(Vec<(String, String)>),
    /// Records of Kong Gateway's `http-log` plugin, one or an array.
    HttpLog,
    /// OTLP logs in JSON.
    OtlpJson,
    /// OTLP logs in protobuf.
    OtlpProtobuf,
}

impl Media {
    /// Whether the protocol lets some events pass and names those that did not.
    pub const fn is_partial(&self) -> bool {
        match self {
            Self::OtlpJson | Self::OtlpProtobuf => true,
            Self::Json
            | Self::Ndjson
            | Self::Protobuf
            | Self::CloudEvent
            | Self::CloudEvents
            | Self::CloudEventData(_)
            | Self::HttpLog => false,
        }
    }
}

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Events of a body.
    pub events: usize,
    /// Bytes of an event; a larger one is not looked at.
    pub event_bytes: usize,
}

/// Hands every draft of `body` to `each` in order, at most `bounds.events` of them, and returns what
/// is wrong with the body itself. Bad syntax is told alone: what was read before it may be
/// half of what was meant.
pub fn read<'a>(
    body: &'a [u8],
    media: &Media,
    bounds: Bounds,
    each: &mut dyn FnMut(Place, Draft<'a>),
) -> Rejections {
    let mut reading = Reading {
        bounds,
        found: 0,
        rejections: Rejections::default(),
        syntax: Rejections::default(),
        each,
    };
    match media {
        Media::Json => reading.json(body),
        Media::Ndjson => reading.ndjson(body),
        Media::Protobuf => publish::read(body, &mut reading),
        Media::CloudEvent => cloudevents::structured(body, &mut reading),
        Media::CloudEvents => cloudevents::batch(body, &mut reading),
        Media::CloudEventData(attributes) => cloudevents::binary(body, attributes, &mut reading),
        Media::HttpLog => httplog::read(body, &mut reading),
        Media::OtlpJson => otlp::json::read(body, &mut reading),
        Media::OtlpProtobuf => otlp::protobuf::read(body, &mut reading),
    }
    if !reading.syntax.is_empty() {
        return reading.syntax;
    }
    if reading.found > bounds.events {
        reading.refuse(RejectionKind::MaxItems(bounds.events as u64));
    }
    reading.rejections
}

/// Whether the rejections say that the body could not be read at all.
pub fn is_syntax(rejections: &[Rejection]) -> bool {
    rejections.iter().any(|rejection| rejection.kind == RejectionKind::Syntax)
}

/// A body that is being read; formats hand over what they find.
pub(crate) struct Reading<'e, 'a> {
    bounds: Bounds,
    found: usize,
    rejections: Rejections,
    syntax: Rejections,
    each: &'e mut dyn FnMut(Place, Draft<'a>),
}

impl<'a> Reading<'_, 'a> {
    fn json(&mut self, body: &'a [u8]) {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let read = BodySeed(self).deserialize(&mut deserializer);
        if read.and_then(|()| deserializer.end()).is_err() {
            self.unreadable(Place::Body);
        } else {
            self.at_least_one();
        }
    }

    fn ndjson(&mut self, body: &'a [u8]) {
        for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let place = Place::Line(index + 1);
            let mut deserializer = serde_json::Deserializer::from_slice(line);
            let read = DraftSeed.deserialize(&mut deserializer);
            match read.and_then(|draft| deserializer.end().map(|()| draft)) {
                Ok(draft) => self.draft(place, draft),
                Err(_) => self.unreadable(place),
            }
        }
        if self.found == 0 && self.syntax.is_empty() {
            self.unreadable(Place::Body);
        }
    }

    /// The place of the next item.
    pub(crate) const fn item(&self) -> Place {
        Place::Item(self.found)
    }

    /// Whether it is any use to look at the next event, which has so many bytes.
    pub(crate) const fn takes(&self, bytes: usize) -> bool {
        self.found < self.bounds.events && bytes <= self.bounds.event_bytes
    }

    /// The next event is not worth a look; it has so many bytes.
    pub(crate) fn pass_over(&mut self, place: Place, bytes: usize) {
        let draft = (self.found < self.bounds.events).then(|| Draft::of_size(bytes));
        self.draft(place, draft);
    }

    /// A body without any event is refused.
    pub(crate) fn at_least_one(&mut self) {
        if self.found == 0 && self.rejections.is_empty() {
            self.refuse(RejectionKind::MinItems(1));
        }
    }

    /// The next draft; none where there is something else in its place.
    pub(crate) fn draft(&mut self, place: Place, draft: Option<Draft<'a>>) {
        self.found += 1;
        if self.found > self.bounds.events {
            return;
        }
        let Some(draft) = draft else {
            let kind = RejectionKind::Type(JsonType::Object);
            return self.rejections.push(Rejection::at(place, kind));
        };
        if draft.repeated.is_empty() {
            return (self.each)(place, draft);
        }
        let body = if matches!(place, Place::Line(_)) { place } else { Place::Body };
        self.unreadable(body);
        self.syntax.extend(
            draft.repeated.iter().map(|name| Rejection {
                field: place.property(name),
                kind: RejectionKind::Repeated,
            }),
        );
    }

    /// In the place of the next draft is something that is none, for this reason.
    pub(crate) fn broken(&mut self, rejection: Rejection) {
        self.found += 1;
        self.wrong(rejection);
    }

    /// Something of the body itself is wrong.
    pub(crate) fn wrong(&mut self, rejection: Rejection) {
        self.rejections.push(rejection);
    }

    /// This cannot be read at all.
    pub(crate) fn unreadable(&mut self, place: Place) {
        let rejection = Rejection::at(place, RejectionKind::Syntax);
        if !self.syntax.contains(&rejection) {
            self.syntax.push(rejection);
        }
    }

    /// The body as a whole is wrong.
    pub(crate) fn refuse(&mut self, kind: RejectionKind) {
        self.rejections.push(Rejection::at(Place::Body, kind));
    }
}

/// The top of a JSON body.
struct BodySeed<'r, 'e, 'a>(&'r mut Reading<'e, 'a>);

impl<'de> DeserializeSeed<'de> for BodySeed<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl BodySeed<'_, '_, '_> {
    fn scalar(self) {
        self.0.refuse(RejectionKind::Type(JsonType::Object));
    }
}

impl<'de> Visitor<'de> for BodySeed<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event or an array of events")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let draft = crate::draft::from_map(map)?;
        self.0.draft(Place::Body, Some(draft));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while self.0.found < self.0.bounds.events {
            let Some(draft) = seq.next_element_seed(DraftSeed)? else { return Ok(()) };
            self.0.draft(Place::Item(self.0.found), draft);
        }
        while seq.next_element_seed(Skip)?.is_some() {
            self.0.found += 1;
        }
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar();
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.scalar();
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.scalar();
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.scalar();
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.scalar();
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.scalar();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
