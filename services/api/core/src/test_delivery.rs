//! What a test delivery saw, as we show it.

use std::time::Duration;

use auditrelay_model::test_delivery::{
    Certificate, Connection, HttpAnswer, Lookup, TestReport, TlsSession,
};
use serde::Serialize;

/// A certificate that ends sooner is worth a word.
const EXPIRES_SOON: Duration = Duration::from_hours(14 * 24);

/// A test delivery on our own wire. A phase that was not reached is null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// Whether the receiver took the event.
    pub delivered: bool,
    /// Where it ended and why; null when the event was taken.
    pub failure: Option<FailureView>,
    /// What works and should not stay as it is.
    pub warnings: Vec<String>,
    /// When it began.
    pub at: String,
    /// From the lookup to the last byte that was read.
    pub duration_ms: f64,
    /// The event that was made up for it.
    pub event_id: String,
    /// The name became addresses.
    pub dns: Option<LookupView>,
    /// One of them took the connection.
    pub connection: Option<ConnectionView>,
    /// The receiver showed its certificate.
    pub tls: Option<TlsView>,
    /// The receiver answered.
    pub answer: Option<AnswerView>,
    /// W3C trace id; null when it is not traced.
    pub trace_id: Option<String>,
}

/// Where a test delivery ended, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureView {
    /// `endpoint`, `dns`, `connect`, `tls` or `http`.
    pub phase: &'static str,
    /// In words.
    pub reason: String,
}

/// The addresses of a name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LookupView {
    /// Those that may be dialled.
    pub addresses: Vec<String>,
    /// How many more there are that may not.
    pub refused: u32,
    /// How long it took.
    pub duration_ms: f64,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectionView {
    /// Address and port.
    pub address: String,
    /// How long it took.
    pub duration_ms: f64,
}

/// A TLS handshake, done or broken off.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TlsView {
    /// For example `TLSv1.3`; null when it was broken off, as are the next two.
    pub version: Option<String>,
    /// The cipher suite.
    pub cipher_suite: Option<String>,
    /// What HTTP was agreed on.
    pub application_protocol: Option<String>,
    /// Whether the destination wants the certificate to be checked.
    pub checked: bool,
    /// Whether it can be trusted, checked or not.
    pub trusted: bool,
    /// Why it can not be trusted.
    pub distrust: Option<String>,
    /// The receiver's own certificate first.
    pub chain: Vec<CertificateView>,
    /// How long it took.
    pub duration_ms: f64,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateView {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Host names and addresses that it is for.
    pub names: Vec<String>,
    /// From when on it holds.
    pub not_before: String,
    /// Until when it holds.
    pub not_after: String,
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerView {
    /// For example `HTTP/1.1`.
    pub version: String,
    /// HTTP status.
    pub status: u16,
    /// First bytes of its body, printable and without our secret.
    pub message: String,
    /// From the request to the end of the answer's head.
    pub duration_ms: f64,
}

impl View {
    /// What a report tells.
    pub fn of(report: &TestReport) -> Self {
        let seen = &report.seen;
        Self {
            delivered: report.is_delivered(),
            failure: seen.failure.as_ref().map(|failure| FailureView {
                phase: failure.phase.name(),
                reason: failure.reason.clone(),
            }),
            warnings: warnings(report),
            at: report.at.to_string(),
            duration_ms: millis(report.duration),
            event_id: report.event.to_string(),
            dns: seen.lookup.as_ref().map(LookupView::from),
            connection: seen.connection.as_ref().map(ConnectionView::from),
            tls: seen.tls.as_ref().map(TlsView::from),
            answer: seen.answer.as_ref().map(AnswerView::from),
            trace_id: given(&report.trace_id),
        }
    }
}

fn warnings(report: &TestReport) -> Vec<String> {
    let mut warnings = Vec::new();
    match &report.seen.tls {
        None if report.seen.answer.is_some() => {
            warnings.push("the connection is not encrypted".to_owned());
        }
        None => {}
        Some(tls) => {
            if let Some(distrust) = tls.distrust.as_ref().filter(|_| !tls.checked) {
                warnings.push(format!("{distrust}; it is not checked"));
            } else if !tls.checked {
                warnings.push("the receiver's certificate is not checked".to_owned());
            }
            let own = tls.chain.first().filter(|_| tls.distrust.is_none());
            if let Some(own) = own.filter(|own| own.not_after.since(report.at) < EXPIRES_SOON) {
                warnings.push(format!("the receiver's certificate expires at {}", own.not_after));
            }
        }
    }
    warnings
}

impl From<&Lookup> for LookupView {
    fn from(lookup: &Lookup) -> Self {
        Self {
            addresses: lookup.addresses.iter().map(ToString::to_string).collect(),
            refused: lookup.refused,
            duration_ms: millis(lookup.duration),
        }
    }
}

impl From<&Connection> for ConnectionView {
    fn from(connection: &Connection) -> Self {
        let duration_ms = millis(connection.duration);
        Self { address: connection.address.to_string(), duration_ms }
    }
}

impl From<&TlsSession> for TlsView {
    fn from(tls: &TlsSession) -> Self {
        Self {
            version: given(&tls.version),
            cipher_suite: given(&tls.cipher_suite),
            application_protocol: given(&tls.application_protocol),
            checked: tls.checked,
            trusted: tls.distrust.is_none() && !tls.chain.is_empty(),
            distrust: tls.distrust.clone(),
            chain: tls.chain.iter().map(CertificateView::from).collect(),
            duration_ms: millis(tls.duration),
        }
    }
}

impl From<&Certificate> for CertificateView {
    fn from(certificate: &Certificate) -> Self {
        Self {
            subject: certificate.subject.clone(),
            issuer: certificate.issuer.clone(),
            names: certificate.names.clone(),
            not_before: certificate.not_before.to_string(),
            not_after: certificate.not_after.to_string(),
        }
    }
}

impl From<&HttpAnswer> for AnswerView {
    fn from(answer: &HttpAnswer) -> Self {
        Self {
            version: answer.version.clone(),
            status: answer.status,
            message: answer.message.clone(),
            duration_ms: millis(answer.duration),
        }
    }
}

fn given(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// Milliseconds, down to microseconds.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests;
