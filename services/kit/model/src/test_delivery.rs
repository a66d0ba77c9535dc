//! Test deliveries: one made-up event to a destination, and what was seen on the way.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::destination::Destination;
use crate::id::EventId;
use crate::{Scope, Timestamp};

/// The wish for a test delivery. No lane is touched by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestDelivery {
    /// In whose name.
    pub scope: Scope,
    /// As it is stored, or as it would be.
    pub destination: Destination,
    /// Who asks: a token's id.
    pub actor: String,
    /// W3C Trace Context of the request behind it.
    pub traceparent: Option<String>,
}

/// What was seen, phase by phase; a phase that was not reached is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    /// When it began.
    pub at: Timestamp,
    /// The event that was made up.
    pub event: EventId,
    /// From the lookup to the last byte that was read.
    pub duration: Duration,
    /// The phases.
    pub seen: Seen,
    /// W3C trace id of the test's span; empty when it is not traced.
    pub trace_id: String,
}

/// What a test delivery saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The name became addresses.
    pub lookup: Option<Lookup>,
    /// One of them took the connection.
    pub connection: Option<Connection>,
    /// The receiver showed its certificate.
    pub tls: Option<TlsSession>,
    /// The receiver answered.
    pub answer: Option<HttpAnswer>,
    /// None when the receiver answered 2xx.
    pub failure: Option<TestFailure>,
}

/// The addresses of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Those that may be dialled.
    pub addresses: Vec<IpAddr>,
    /// How many more there are that may not; which is nobody's business.
    pub refused: u32,
    /// How long it took.
    pub duration: Duration,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// To whom.
    pub address: SocketAddr,
    /// How long it took.
    pub duration: Duration,
}

/// A TLS handshake, done or broken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSession {
    /// For example `TLSv1.3`; empty when it was broken off, as are the next two.
    pub version: String,
    /// For example `TLS13_AES_256_GCM_SHA384`.
    pub cipher_suite: String,
    /// What HTTP was agreed on, for example `h2`; empty where nothing was said.
    pub application_protocol: String,
    /// Whether the destination wants the certificate to be checked.
    pub checked: bool,
    /// Why the certificate can not be trusted.
    pub distrust: Option<String>,
    /// The receiver's own certificate first.
    pub chain: Vec<Certificate>,
    /// How long it took.
    pub duration: Duration,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Host names and addresses that it is for.
    pub names: Vec<String>,
    /// From when on it holds.
    pub not_before: Timestamp,
    /// Until when it holds.
    pub not_after: Timestamp,
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// For example `HTTP/1.1`.
    pub version: String,
    /// HTTP status.
    pub status: u16,
    /// First bytes of the body, printable.
    pub message: String,
    /// From the request to the end of the answer's head.
    pub duration: Duration,
}

/// Where a test delivery ended, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFailure {
    /// Where.
    pub phase: TestPhase,
    /// Why.
    pub reason: String,
}

crate::event::named! {
    /// A stage of a request.
    TestPhase {
        /// The destination itself: its URL, or its stored authorization.
        Endpoint = "endpoint",
        /// Finding the name's addresses.
        Lookup = "dns",
        /// The TCP connection.
        Connect = "connect",
        /// The TLS handshake.
        Tls = "tls",
        /// Request and answer.
        Http = "http",
    }
}

impl TestReport {
    /// Whether the receiver took the event.
    pub const fn is_delivered(&self) -> bool {
        self.seen.failure.is_none()
    }
}
