//! What a client's error means.

use std::error::Error;
use std::io;

use auditrelay_webhook_sender_core::message::printable;
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use hyper_util::client::legacy;

use super::failed;
use crate::guard::NoConnection;

pub(super) fn classify(error: &legacy::Error) -> Outcome {
    let (kind, message) = if let Some(cause) = find::<NoConnection>(error) {
        (kind_of(cause), cause.to_string())
    } else if let Some(cause) = find::<rustls::Error>(error) {
        (FailureKind::Tls, format!("tls: {cause}"))
    } else if error.is_connect() {
        (FailureKind::Connect, format!("no connection: {}", innermost(error)))
    } else if let Some(cause) = find::<hyper::Error>(error) {
        (FailureKind::Protocol, describe(cause))
    } else {
        (FailureKind::Protocol, innermost(error))
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
