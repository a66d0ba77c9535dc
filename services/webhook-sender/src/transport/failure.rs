//! What a client's error means.

use std::error::Error;
use std::io;

use auditrelay_webhook_sender_core::message::printable;
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use hyper_util::client::legacy;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};

use super::failed;
use super::tls::Distrusted;
use crate::guard::NoConnection;

pub(super) fn classify(error: &legacy::Error) -> Outcome {
    let (kind, message) = if let Some(cause) = find::<NoConnection>(error) {
        (kind_of(cause), cause.to_string())
    } else if error.is_connect() {
        handshake(error)
    } else {
        (kind_of_exchange(error), exchange(error))
    };
    // A receiver's words may be among the error's.
    failed(kind, &printable(message.as_bytes(), ""))
}

const fn kind_of(cause: &NoConnection) -> FailureKind {
    match cause {
        NoConnection::Dns(_) => FailureKind::Dns,
        NoConnection::Blocked => FailureKind::Blocked,
        NoConnection::Unreachable(_) => FailureKind::Connect,
    }
}

/// What went wrong between the TCP connection and the request. What the two sides can not agree on
/// stays so; a connection that is cut may hold the next time.
pub(super) fn handshake(error: &(dyn Error + 'static)) -> (FailureKind, String) {
    match find::<rustls::Error>(error) {
        Some(cause) => (FailureKind::Tls, in_words(cause)),
        None => (FailureKind::Connect, format!("no connection: {}", broken_off(error))),
    }
}

/// Kind of what went wrong with request or answer: also a receiver that wants a certificate says
/// so only now.
fn kind_of_exchange(error: &(dyn Error + 'static)) -> FailureKind {
    match find::<rustls::Error>(error) {
        Some(_) => FailureKind::Tls,
        None => FailureKind::Protocol,
    }
}

/// What went wrong with request or answer.
pub(super) fn exchange(error: &(dyn Error + 'static)) -> String {
    if let Some(cause) = find::<rustls::Error>(error) {
        in_words(cause)
    } else if let Some(cause) = find::<hyper::Error>(error) {
        describe(cause)
    } else {
        innermost(error)
    }
}

fn broken_off(error: &(dyn Error + 'static)) -> String {
    match innermost_io(error).map(io::Error::kind) {
        Some(io::ErrorKind::UnexpectedEof) => {
            "closed by the receiver during the TLS handshake".to_owned()
        }
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            "reset by the receiver during the TLS handshake".to_owned()
        }
        Some(_) | None => innermost(error),
    }
}

fn in_words(error: &rustls::Error) -> String {
    let words = match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            match other.0.downcast_ref::<Distrusted>() {
                Some(distrust) => distrust.to_string(),
                None => error.to_string(),
            }
        }
        rustls::Error::AlertReceived(alert) => alert_in_words(*alert),
        rustls::Error::PeerIncompatible(incompatible) => incompatible_in_words(incompatible),
        rustls::Error::InvalidMessage(_) => {
            "the receiver does not speak TLS on this port".to_owned()
        }
        rustls::Error::NoCertificatesPresented => "the receiver shows no certificate".to_owned(),
        other => other.to_string(),
    };
    format!("tls: {words}")
}

fn alert_in_words(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::ProtocolVersion => NO_VERSION.to_owned(),
        AlertDescription::InsufficientSecurity => NO_CIPHER.to_owned(),
        AlertDescription::HandshakeFailure => {
            "the receiver broke the handshake off: no cipher in common, or it wants a client \
             certificate"
                .to_owned()
        }
        AlertDescription::CertificateRequired => {
            "the receiver wants a client certificate and has got none".to_owned()
        }
        AlertDescription::UnrecognisedName => {
            "the receiver does not know this host name".to_owned()
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => {
            format!("the receiver does not accept our client certificate ({alert:?})")
        }
        other => format!("the receiver broke the handshake off ({other:?})"),
    }
}

fn incompatible_in_words(incompatible: &PeerIncompatible) -> String {
    match incompatible {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => NO_VERSION.to_owned(),
        PeerIncompatible::NoCipherSuitesInCommon
        | PeerIncompatible::NoKxGroupsInCommon
        | PeerIncompatible::NoSignatureSchemesInCommon => NO_CIPHER.to_owned(),
        other => format!("the receiver's TLS does not fit ours ({other:?})"),
    }
}

const NO_VERSION: &str = "no protocol version in common: TLS 1.2 or 1.3 is needed";
const NO_CIPHER: &str = "no cipher in common";

fn describe(cause: &hyper::Error) -> String {
    if cause.is_parse_too_large() {
        "response head too large".to_owned()
    } else if cause.is_parse() {
        format!("malformed response: {}", innermost(cause))
    } else if cause.is_incomplete_message() {
        "connection closed before an answer".to_owned()
    } else if let Some(io) = find::<io::Error>(cause) {
        io.kind().to_string()
    } else {
        innermost(cause)
    }
}

/// The first error of the type among the causes. An `io::Error` made of another error does not
/// name that one as its source.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    error.downcast_ref::<T>().or_else(|| find(cause(error)?))
}

/// An `io::Error` may hold another one, whose kind says more.
fn innermost_io<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let found = find::<io::Error>(error)?;
    cause(found).and_then(innermost_io).or(Some(found))
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    match cause(error) {
        Some(cause) => innermost(cause),
        None => error.to_string(),
    }
}

fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match wrapped {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
