//! What certificates say, for people.

use std::net::IpAddr;

use auditrelay_model::Timestamp;
use auditrelay_model::test_delivery::Certificate;
use auditrelay_webhook_sender_core::message::printable;
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

/// Names of one certificate that are told.
const NAMES_MAX: usize = 16;
/// Characters of one name that are told.
const NAME_CHARS_MAX: usize = 200;

/// What a certificate says; none when it cannot be read.
pub(super) fn read(der: &CertificateDer<'_>) -> Option<Certificate> {
    let parsed = parse(der)?;
    let alternatives = parsed.subject_alternative_name().ok().flatten();
    let names = alternatives.iter().flat_map(|found| &found.value.general_names);
    Some(Certificate {
        subject: name(parsed.subject()),
        issuer: name(parsed.issuer()),
        names: names.filter_map(alternative).take(NAMES_MAX).collect(),
        not_before: time(parsed.validity().not_before),
        not_after: time(parsed.validity().not_after),
    })
}

/// What is wrong with a certificate, and what can be done about it.
pub(super) fn explain(
    error: &rustls::Error,
    own: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    host: &ServerName<'_>,
) -> String {
    let rustls::Error::InvalidCertificate(error) = error else { return error.to_string() };
    let host = host.to_str();
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate expired at {}", unix(*not_after))
        }
        CertificateError::Expired => "the certificate has expired".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is not valid before {}", unix(*not_before))
        }
        CertificateError::NotValidYet => "the certificate is not valid yet".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = read(own).map(|read| read.names.join(", ")).unwrap_or_default();
            let names = if names.is_empty() { "nobody by name".to_owned() } else { names };
            format!("the certificate is for {names}, not for {host}")
        }
        _ if is_self_signed(own) => {
            "the certificate is self-signed and not among the trusted ones".to_owned()
        }
        CertificateError::UnknownIssuer => unknown_issuer(others.last().unwrap_or(own)),
        CertificateError::Revoked => "the certificate was revoked".to_owned(),
        CertificateError::BadEncoding => "the certificate cannot be read".to_owned(),
        CertificateError::BadSignature => {
            "the certificate was not signed by whom it names".to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not for servers".to_owned()
        }
        other => format!("the certificate is not valid: {other}"),
    }
}

fn unknown_issuer(last: &CertificateDer<'_>) -> String {
    let issuer = read(last).map(|read| read.issuer).unwrap_or_default();
    format!(
        "the certificate is signed by an unknown authority ({issuer}): the receiver must send its \
         intermediate certificates, or the authority must be among the trusted ones"
    )
}

fn is_self_signed(der: &CertificateDer<'_>) -> bool {
    parse(der).is_some_and(|parsed| parsed.subject().as_raw() == parsed.issuer().as_raw())
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(der.as_ref()).ok().map(|(_, parsed)| parsed)
}

fn name(name: &X509Name<'_>) -> String {
    bounded(&name.to_string())
}

fn alternative(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(bounded(name)),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// A receiver's words.
fn bounded(text: &str) -> String {
    printable(text.as_bytes(), "").chars().take(NAME_CHARS_MAX).collect()
}

fn time(time: ASN1Time) -> Timestamp {
    Timestamp::from_nanos(time.timestamp().saturating_mul(1_000_000_000))
}

fn unix(time: UnixTime) -> Timestamp {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000))
}
