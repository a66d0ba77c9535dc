//! Writing events: the bytes, and how many they are, from one description and without a copy of
//! any text.

use std::fmt;
use std::io::Write as _;
use std::net::IpAddr;

use auditrelay_model::event::{AuditEvent, AuthenticationOutcome, AuthenticationType, Detail};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use super::number_of;

/// `Record.events`.
const EVENTS: u32 = 8;
/// A UUID in its usual form.
const ID_LENGTH: usize = 36;

/// Takes an event's fields in the order of their numbers; what is empty is not written.
trait Sink {
    fn text(&mut self, tag: u32, text: &str);
    fn address(&mut self, tag: u32, address: IpAddr);
    fn number(&mut self, tag: u32, number: u64);
    fn detail(&mut self, tag: u32, detail: &Detail);

    fn flag(&mut self, tag: u32, flag: bool) {
        self.number(tag, u64::from(flag));
    }
}

/// Bytes that an event takes inside a record.
pub(crate) fn length(event: &AuditEvent) -> usize {
    let length = bare_length(event);
    key_len(EVENTS) + encoded_len_varint(length as u64) + length
}

/// Writes an event as one of a record's.
pub(super) fn write(event: &AuditEvent, bytes: &mut Vec<u8>) {
    encode_key(EVENTS, WireType::LengthDelimited, bytes);
    encode_varint(bare_length(event) as u64, bytes);
    fields(event, &mut Bytes(bytes));
}

fn bare_length(event: &AuditEvent) -> usize {
    let mut length = Length(0);
    fields(event, &mut length);
    length.0
}

fn fields(event: &AuditEvent, sink: &mut impl Sink) {
    sink.text(1, event.id.uuid().hyphenated().encode_lower(&mut [0; ID_LENGTH]));
    sink.number(2, event.ts.nanos().cast_unsigned());
    sink.text(3, &event.principal_id);
    sink.text(4, &event.principal_name);
    sink.text(5, &event.actor_id);
    if let Some(ip) = event.client_ip {
        sink.address(6, ip);
    }
    sink.text(7, &event.uri);
    sink.text(8, &event.user_agent);
    sink.text(9, &event.trace_id);
    sink.flag(10, event.platform_initiated);
    sink.text(11, &event.traceparent);
    let tag = match event.detail {
        Detail::Authentication(_) => 20,
        Detail::Authorization(_) => 21,
        Detail::Access(_) => 22,
    };
    sink.detail(tag, &event.detail);
}

fn detail_fields(detail: &Detail, sink: &mut impl Sink) {
    match detail {
        Detail::Authentication(detail) => {
            let method = number_of(AuthenticationType::ALL, detail.method);
            let outcome = number_of(AuthenticationOutcome::ALL, detail.outcome);
            sink.number(1, i64::from(method).cast_unsigned());
            sink.number(2, i64::from(outcome).cast_unsigned());
            sink.flag(3, detail.success);
        }
        Detail::Authorization(detail) => {
            sink.text(1, &detail.service);
            sink.text(2, &detail.resource);
            sink.text(3, &detail.action);
            sink.flag(4, detail.granted);
        }
        Detail::Access(detail) => {
            sink.text(1, &detail.method);
            sink.number(2, detail.status_code.into());
            sink.text(3, &detail.query);
        }
    }
}

fn detail_length(detail: &Detail) -> usize {
    let mut length = Length(0);
    detail_fields(detail, &mut length);
    length.0
}

/// Counts.
struct Length(usize);

impl Length {
    fn bytes(&mut self, tag: u32, length: usize) {
        self.0 += key_len(tag) + encoded_len_varint(length as u64) + length;
    }
}

impl Sink for Length {
    fn text(&mut self, tag: u32, text: &str) {
        if !text.is_empty() {
            self.bytes(tag, text.len());
        }
    }

    fn address(&mut self, tag: u32, address: IpAddr) {
        self.bytes(tag, address_length(address));
    }

    fn number(&mut self, tag: u32, number: u64) {
        if number != 0 {
            self.0 += key_len(tag) + encoded_len_varint(number);
        }
    }

    fn detail(&mut self, tag: u32, detail: &Detail) {
        self.bytes(tag, detail_length(detail));
    }
}

/// The length is asked for more than once: that of four numbers is counted without writing them.
fn address_length(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(v4) => 3 + v4.octets().into_iter().map(digits).sum::<usize>(),
        IpAddr::V6(v6) => {
            let mut counted = Counted(0);
            let _ = fmt::Write::write_fmt(&mut counted, format_args!("{v6}"));
            counted.0
        }
    }
}

const fn digits(octet: u8) -> usize {
    match octet {
        0..=9 => 1,
        10..=99 => 2,
        100..=255 => 3,
    }
}

/// A text that is only counted.
struct Counted(usize);

impl fmt::Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// Writes.
struct Bytes<'b>(&'b mut Vec<u8>);

impl Bytes<'_> {
    fn head(&mut self, tag: u32, length: usize) {
        encode_key(tag, WireType::LengthDelimited, self.0);
        encode_varint(length as u64, self.0);
    }
}

impl Sink for Bytes<'_> {
    fn text(&mut self, tag: u32, text: &str) {
        if !text.is_empty() {
            self.head(tag, text.len());
            self.0.extend_from_slice(text.as_bytes());
        }
    }

    fn address(&mut self, tag: u32, address: IpAddr) {
        self.head(tag, address_length(address));
        // Writing into a vector cannot fail.
        let _ = write!(self.0, "{address}");
    }

    fn number(&mut self, tag: u32, number: u64) {
        if number != 0 {
            encode_key(tag, WireType::Varint, self.0);
            encode_varint(number, self.0);
        }
    }

    fn detail(&mut self, tag: u32, detail: &Detail) {
        self.head(tag, detail_length(detail));
        detail_fields(detail, self);
    }
}

#[cfg(test)]
mod tests {
    use auditrelay_model::Timestamp;
    use auditrelay_model::event::{Access, Authentication, Authorization};
    use auditrelay_model::id::EventId;
    use auditrelay_proto::event::v1 as wire;
    use prost::Message;

    use super::super::to_wire;
    use super::*;

    fn event(text: &str, ts: i64, detail: Detail) -> AuditEvent {
        AuditEvent {
            id: EventId::from_uuid(uuid::Uuid::from_u128(7)),
            ts: Timestamp::from_nanos(ts),
            principal_id: text.to_owned(),
            principal_name: text.to_owned(),
            actor_id: String::new(),
            client_ip: (!text.is_empty()).then(|| "2001:db8::1".parse().unwrap()),
            uri: text.to_owned(),
            user_agent: text.repeat(3),
            trace_id: text.to_owned(),
            platform_initiated: ts < 0,
            traceparent: text.to_owned(),
            detail,
        }
    }

    fn details(text: &str, flag: bool) -> Vec<Detail> {
        let some = || text.to_owned();
        let access = |status_code| Access { method: some(), status_code, query: some() };
        let mut details = vec![
            Detail::Authorization(Authorization {
                service: some(),
                resource: some(),
                action: some(),
                granted: flag,
            }),
            Detail::Access(access(99)),
            Detail::Access(access(599)),
        ];
        for (method, outcome) in AuthenticationType::ALL.iter().zip(AuthenticationOutcome::ALL) {
            let (method, outcome) = (*method, *outcome);
            details.push(Detail::Authentication(Authentication { method, outcome, success: flag }));
        }
        details
    }

    #[test]
    fn an_address_is_as_long_as_it_is_written() {
        for text in ["0.0.0.0", "9.10.99.100", "255.255.255.255", "::", "2001:db8::1"] {
            let address: IpAddr = text.parse().unwrap();
            let mut bytes = Vec::new();
            Bytes(&mut bytes).address(6, address);
            assert_eq!(bytes.len(), 2 + address_length(address), "{text}");
            assert_eq!(bytes.get(2..), Some(address.to_string().as_bytes()));
        }
    }

    /// Byte for byte what the generated code writes.
    #[test]
    fn bytes_and_length_are_those_of_the_contract() {
        for text in ["", "a", "ä🦀", &"x".repeat(127), &"x".repeat(128), &"x".repeat(20_000)] {
            for ts in [0, 1, -1, i64::MAX, i64::MIN] {
                for detail in details(text, ts > 0) {
                    let event = event(text, ts, detail);
                    let events = vec![to_wire(&event)];
                    let wanted = wire::Record { events, ..wire::Record::default() }.encode_to_vec();
                    let mut bytes = Vec::new();
                    write(&event, &mut bytes);
                    assert!(bytes == wanted, "{event:?}");
                    assert_eq!(length(&event), wanted.len());
                }
            }
        }
    }
}
