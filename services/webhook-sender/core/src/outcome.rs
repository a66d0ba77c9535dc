//! What came of a request.

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A complete response head came.
    Answered {
        /// HTTP status.
        status: u16,
        /// The `Retry-After` header as it was sent; several are joined by commas.
        retry_after: Option<String>,
        /// First bytes of the body, printable.
        message: String,
    },
    /// No complete response head came.
    Failed {
        /// Where it failed.
        kind: FailureKind,
        /// What went wrong, printable.
        message: String,
    },
}

/// Where a request without an answer failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The endpoint is not a URL that may be called.
    Endpoint,
    /// The name has no address.
    Dns,
    /// No address of it may be dialled.
    Blocked,
    /// No connection.
    Connect,
    /// No TLS session.
    Tls,
    /// Time ran out.
    Timeout,
    /// The answer was no HTTP, or broke off.
    Protocol,
}
