//! `auditrelay.delivery.v1`: test deliveries.

use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::test_delivery::{
    Certificate, Connection, HttpAnswer, Lookup, Seen, TestDelivery, TestFailure, TestPhase,
    TestReport, TlsSession,
};
use auditrelay_proto::delivery::v1 as wire;
use prost::Message;

use super::{DecodeError, config, parse, required, types};
use crate::command::TestReply;

pub(crate) fn encode_command(command: &TestDelivery) -> Vec<u8> {
    wire::TestDelivery {
        scope: Some(types::scope(command.scope)),
        destination: Some(config::destination_to_wire(&command.destination)),
        actor: command.actor.clone(),
        traceparent: command.traceparent.clone().unwrap_or_default(),
    }
    .encode_to_vec()
}

pub(crate) fn decode_command(bytes: &[u8]) -> Result<TestDelivery, DecodeError> {
    let command =
        wire::TestDelivery::decode(bytes).map_err(|_| DecodeError::Malformed("test delivery"))?;
    Ok(TestDelivery {
        scope: types::read_scope(command.scope)?,
        destination: config::destination_from_wire(required(command.destination, "destination")?)?,
        actor: command.actor,
        traceparent: given(command.traceparent),
    })
}

pub(crate) fn encode_reply(reply: &TestReply) -> Vec<u8> {
    let (report, unavailable) = match reply {
        TestReply::Report(report) => (Some(report_to_wire(report)), String::new()),
        TestReply::Unavailable(reason) => (None, reason.clone()),
    };
    wire::TestReply { report, unavailable }.encode_to_vec()
}

pub(crate) fn decode_reply(bytes: &[u8]) -> Result<TestReply, DecodeError> {
    let reply = wire::TestReply::decode(bytes).map_err(|_| DecodeError::Malformed("test reply"))?;
    Ok(match reply.report {
        Some(report) => TestReply::Report(Box::new(report_from_wire(report)?)),
        None => TestReply::Unavailable(reply.unavailable),
    })
}

fn report_to_wire(report: &TestReport) -> wire::TestReport {
    let seen = &report.seen;
    wire::TestReport {
        at_ns: report.at.nanos(),
        event_id: report.event.to_string(),
        duration_us: micros(report.duration),
        lookup: seen.lookup.as_ref().map(|lookup| wire::Lookup {
            addresses: lookup.addresses.iter().map(ToString::to_string).collect(),
            refused: lookup.refused,
            duration_us: micros(lookup.duration),
        }),
        connection: seen.connection.as_ref().map(|connection| wire::Connection {
            address: connection.address.to_string(),
            duration_us: micros(connection.duration),
        }),
        tls: seen.tls.as_ref().map(tls_to_wire),
        answer: seen.answer.as_ref().map(|answer| wire::HttpAnswer {
            version: answer.version.clone(),
            status: u32::from(answer.status),
            message: answer.message.clone(),
            duration_us: micros(answer.duration),
        }),
        failure: seen.failure.as_ref().map(|failure| wire::TestFailure {
            phase: failure.phase.name().to_owned(),
            reason: failure.reason.clone(),
        }),
        trace_id: report.trace_id.clone(),
    }
}

fn report_from_wire(report: wire::TestReport) -> Result<TestReport, DecodeError> {
    Ok(TestReport {
        at: Timestamp::from_nanos(report.at_ns),
        event: parse(&report.event_id, "event_id")?,
        duration: Duration::from_micros(report.duration_us),
        seen: Seen {
            lookup: report.lookup.as_ref().map(lookup_from_wire).transpose()?,
            connection: report.connection.as_ref().map(connection_from_wire).transpose()?,
            tls: report.tls.map(tls_from_wire),
            answer: report.answer.map(answer_from_wire).transpose()?,
            failure: report.failure.map(failure_from_wire).transpose()?,
        },
        trace_id: report.trace_id,
    })
}

fn lookup_from_wire(lookup: &wire::Lookup) -> Result<Lookup, DecodeError> {
    let addresses = lookup.addresses.iter().map(|address| parse(address, "addresses"));
    Ok(Lookup {
        addresses: addresses.collect::<Result<_, _>>()?,
        refused: lookup.refused,
        duration: Duration::from_micros(lookup.duration_us),
    })
}

fn connection_from_wire(connection: &wire::Connection) -> Result<Connection, DecodeError> {
    Ok(Connection {
        address: parse(&connection.address, "address")?,
        duration: Duration::from_micros(connection.duration_us),
    })
}

fn answer_from_wire(answer: wire::HttpAnswer) -> Result<HttpAnswer, DecodeError> {
    Ok(HttpAnswer {
        version: answer.version,
        status: u16::try_from(answer.status).map_err(|_| DecodeError::Field("status"))?,
        message: answer.message,
        duration: Duration::from_micros(answer.duration_us),
    })
}

fn failure_from_wire(failure: wire::TestFailure) -> Result<TestFailure, DecodeError> {
    Ok(TestFailure {
        phase: TestPhase::from_name(&failure.phase).ok_or(DecodeError::Field("phase"))?,
        reason: failure.reason,
    })
}

fn tls_to_wire(tls: &TlsSession) -> wire::TlsSession {
    wire::TlsSession {
        version: tls.version.clone(),
        cipher_suite: tls.cipher_suite.clone(),
        application_protocol: tls.application_protocol.clone(),
        checked: tls.checked,
        distrust: tls.distrust.clone().unwrap_or_default(),
        chain: tls.chain.iter().map(certificate_to_wire).collect(),
        duration_us: micros(tls.duration),
    }
}

fn tls_from_wire(tls: wire::TlsSession) -> TlsSession {
    TlsSession {
        version: tls.version,
        cipher_suite: tls.cipher_suite,
        application_protocol: tls.application_protocol,
        checked: tls.checked,
        distrust: given(tls.distrust),
        chain: tls.chain.into_iter().map(certificate_from_wire).collect(),
        duration: Duration::from_micros(tls.duration_us),
    }
}

fn certificate_to_wire(certificate: &Certificate) -> wire::Certificate {
    wire::Certificate {
        subject: certificate.subject.clone(),
        issuer: certificate.issuer.clone(),
        names: certificate.names.clone(),
        not_before_ns: certificate.not_before.nanos(),
        not_after_ns: certificate.not_after.nanos(),
    }
}

fn certificate_from_wire(certificate: wire::Certificate) -> Certificate {
    Certificate {
        subject: certificate.subject,
        issuer: certificate.issuer,
        names: certificate.names,
        not_before: Timestamp::from_nanos(certificate.not_before_ns),
        not_after: Timestamp::from_nanos(certificate.not_after_ns),
    }
}

fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
