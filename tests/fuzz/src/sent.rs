//! What producers send.

use std::collections::BTreeMap;
use std::time::Duration;

use auditrelay_format::{Vendor, render_placed, seal_line};
use auditrelay_ingest_core::admit::{Admission, Admitted, Limits, Tenant};
use auditrelay_ingest_core::request::Media;
use auditrelay_model::destination::LogFormat;
use auditrelay_model::id::{EventId, OrgId};
use auditrelay_model::record::Place;
use auditrelay_signing::line;
use serde_json::Value;
use uuid::Uuid;

use crate::NOW;

const SIGNATURE: &str = "c2lnbmF0dXJl";
const MEDIA: [Media; 8] = [
    Media::Json,
    Media::Ndjson,
    Media::Protobuf,
    Media::CloudEvent,
    Media::CloudEvents,
    Media::HttpLog,
    Media::OtlpJson,
    Media::OtlpProtobuf,
];

const LIMITS: Limits = Limits {
    max_events: 1_000,
    max_event_bytes: 65_536,
    max_future: Duration::from_mins(5),
    max_lateness: Duration::from_hours(24),
};

/// A body; its first byte says in which format.
pub(crate) fn ingest(data: &[u8]) {
    for admitted in sorted(data) {
        in_every_format(&admitted);
    }
}

fn sorted(data: &[u8]) -> Vec<Admitted> {
    let Some((kind, body)) = data.split_first() else { return Vec::new() };
    let portals = BTreeMap::new();
    let tenant = Tenant { org: OrgId::from_uuid(Uuid::from_u128(7)), portals: &portals };
    let admission = Admission { now: NOW, limits: &LIMITS, tenant, traceparent: "" };
    let media = MEDIA.get(usize::from(*kind) % MEDIA.len()).expect("one of them");
    let mut ids = 0;
    let sorted = admission.sort(body, media, &mut || {
        ids += 1;
        EventId::from_uuid(Uuid::from_u128(ids))
    });
    assert!(sorted.admitted.len() <= LIMITS.max_events, "more events than may be");
    sorted.admitted
}

fn in_every_format(admitted: &Admitted) {
    for format in [LogFormat::Cef, LogFormat::Json, LogFormat::Cps] {
        let place = Place { epoch: 1, number: 2 };
        let vendor = Vendor::default();
        let signed = render_placed(&admitted.event, admitted.scope, place, format, &vendor);
        let sealed = seal_line(signed.clone(), format, SIGNATURE);
        assert!(!sealed.contains(['\n', '\r', '\0', '\u{1b}', '\u{202e}']), "{sealed:?}");
        let (found, signature) = line::split(&sealed).expect("a signature");
        assert_eq!((&*found, signature), (&*signed, SIGNATURE), "{sealed}");
        if format != LogFormat::Cef {
            let read: Result<Value, _> = serde_json::from_str(&sealed);
            assert!(read.is_ok(), "{sealed}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sorted;

    #[test]
    fn the_corpus_is_admitted() {
        for (data, events) in [
            (&include_bytes!("../corpus/ingest/json")[..], 1),
            (include_bytes!("../corpus/ingest/array"), 2),
            (include_bytes!("../corpus/ingest/ndjson"), 2),
            (include_bytes!("../corpus/ingest/cloudevent"), 1),
            (include_bytes!("../corpus/ingest/httplog"), 1),
            (include_bytes!("../corpus/ingest/otlp"), 1),
        ] {
            assert_eq!(sorted(data).len(), events, "{}", String::from_utf8_lossy(data));
        }
    }
}
