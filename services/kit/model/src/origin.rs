//! The request behind a fact.

use std::net::IpAddr;

/// Whose request it was and where it came from: what an organization's log says of a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// What people call who asked: the token's name, or the name that an identity provider gives.
    pub principal_name: String,
    /// Where the request came from.
    pub client_ip: Option<IpAddr>,
    /// The client's user agent.
    pub user_agent: String,
    /// HTTP method.
    pub method: String,
    /// Path without its query.
    pub uri: String,
    /// W3C `traceparent` of the request; may be empty.
    pub traceparent: String,
}

impl Origin {
    /// The trace's 32 digits, where there is a trace.
    pub fn trace_id(&self) -> &str {
        self.traceparent.split('-').nth(1).unwrap_or_default()
    }
}
