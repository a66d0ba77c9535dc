//! Headers of a record on EVENTS: what readers need before they decode it.

use async_nats::HeaderMap;
use auditrelay_model::Timestamp;
use auditrelay_model::event::AuditEvent;
use auditrelay_model::record::{Digest, Place, Record};

/// W3C Trace Context.
pub(crate) const TRACEPARENT: &str = "traceparent";
/// Earliest event time in the record, nanoseconds.
pub(crate) const TS_MIN: &str = "Auditrelay-Ts-Min";
/// Latest event time in the record, nanoseconds.
pub(crate) const TS_MAX: &str = "Auditrelay-Ts-Max";
/// `<epoch>.<first number>.<last number>`.
pub(crate) const NUMBERS: &str = "Auditrelay-Numbers";
/// The kinds in the record, separated by commas.
pub(crate) const KINDS: &str = "Auditrelay-Kinds";
/// SHA-256 of the payload, hexadecimal.
pub(crate) const DIGEST: &str = "Auditrelay-Digest";
/// `<epoch>.<number>` of the last event that the broker lost right before the record.
pub(crate) const LOST: &str = "Auditrelay-Lost";

/// The headers of a record that is about to be stored.
pub(crate) fn of_record(record: &Record, digest: &Digest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let (first, last) = span(record);
    headers.insert(TS_MIN, first.nanos().to_string());
    headers.insert(TS_MAX, last.nanos().to_string());
    let numbers = format!("{}.{}.{}", record.epoch, record.first_number, record.last_number());
    headers.insert(NUMBERS, numbers);
    let mut kinds: Vec<_> = record.events.iter().map(AuditEvent::kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    headers.insert(KINDS, kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(","));
    headers.insert(DIGEST, hex(digest));
    if let Some(event) = record.events.iter().find(|event| !event.traceparent.is_empty()) {
        headers.insert(TRACEPARENT, event.traceparent.as_str());
    }
    headers
}

/// Earliest and latest event time.
pub(crate) fn span(record: &Record) -> (Timestamp, Timestamp) {
    let times = || record.events.iter().map(|event| event.ts);
    (times().min().unwrap_or_default(), times().max().unwrap_or_default())
}

/// A header's text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(async_nats::HeaderValue::as_str)
}

/// A header's number.
pub(crate) fn time(headers: &HeaderMap, name: &str) -> Option<Timestamp> {
    text(headers, name)?.parse().ok().map(Timestamp::from_nanos)
}

/// Epoch, first and last number.
pub(crate) fn numbers(headers: &HeaderMap) -> Option<(u64, u64, u64)> {
    let mut parts = text(headers, NUMBERS)?.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

/// What was lost right before the record.
pub(crate) fn lost(headers: &HeaderMap) -> Option<Place> {
    let (epoch, number) = text(headers, LOST)?.split_once('.')?;
    let lost = Place { epoch: epoch.parse().ok()?, number: number.parse().ok()? };
    (lost.number <= u64::MAX / 2).then_some(lost)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        text.extend(
            [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')),
        );
        text
    })
}

/// A digest from its hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    let digits = text.as_bytes();
    if digits.len() != 2 * digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_read_unless_no_log_can_have_lost_it() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LOST, text);
            lost(&headers).map(|Place { epoch, number }| (epoch, number))
        };
        assert_eq!(read("5.9"), Some((5, 9)));
        for strange in ["", "5", "5.", ".9", "5.9.1", "5.-1", "x.y", "5.18446744073709551615"] {
            assert_eq!(read(strange), None, "{strange}");
        }
        assert_eq!(lost(&HeaderMap::new()), None);
    }
}
