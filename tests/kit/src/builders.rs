//! Audit events in one line, as producers send them.

use std::time::Duration;

use auditrelay_model::id::PortalId;
use auditrelay_model::{Clock, Timestamp};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::ids;
use serde_json::{Value, json};

/// An event as a producer writes it; its id is chosen here, so that it can be found again.
#[derive(Debug, Clone)]
pub struct Draft(Value);

/// The time now.
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// A time in the past.
pub fn ago(distance: Duration) -> Timestamp {
    now() - distance
}

/// A login by password that succeeded.
pub fn login() -> Draft {
    Draft::of(json!({
        "type": "authentication",
        "authentication_type": "basic",
        "outcome": "success",
        "client_ip": "203.0.113.7",
        "principal_id": "ada",
        "principal_name": "Ada Lovelace",
        "uri": "/auth/authenticate",
        "user_agent": "kit/1.0",
    }))
}

/// A permission check that was refused.
pub fn denied() -> Draft {
    Draft::of(json!({
        "type": "authorization",
        "service": "konnect",
        "resource": "control-planes/*",
        "action": "delete",
        "granted": false,
        "client_ip": "2001:db8::7",
        "principal_id": "grace",
    }))
}

/// A request through a gateway.
pub fn access(uri: &str) -> Draft {
    Draft::of(json!({
        "type": "gateway_access",
        "method": "GET",
        "uri": uri,
        "status_code": 200,
        "client_ip": "198.51.100.4",
        "principal_id": "linus",
        "user_agent": "curl/8",
    }))
}

/// Many events of all kinds.
pub fn some(count: usize) -> Vec<Draft> {
    let one = |index: usize| match index % 3 {
        0 => login(),
        1 => denied(),
        _ => access(&format!("/orders/{index}")),
    };
    (0..count).map(one).collect()
}

/// The ids of drafts, in order.
pub fn ids(drafts: &[Draft]) -> Vec<String> {
    drafts.iter().map(Draft::id).collect()
}

impl Draft {
    fn of(mut event: Value) -> Self {
        event["id"] = json!(ids::uuid_v7().to_string());
        event["ts"] = json!(now().to_string());
        Self(event)
    }

    /// The same at another time.
    #[must_use]
    pub fn at(self, ts: Timestamp) -> Self {
        self.with("ts", ts.to_string())
    }

    /// The same for the log of a portal.
    #[must_use]
    pub fn of_portal(self, portal: PortalId) -> Self {
        self.with("portal_id", portal.to_string())
    }

    /// The same with one member changed.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0[member] = value.into();
        self
    }

    /// The same without one member.
    #[must_use]
    pub fn without(mut self, member: &str) -> Self {
        if let Value::Object(members) = &mut self.0 {
            members.remove(member);
        }
        self
    }

    /// The id that the event will have.
    pub fn id(&self) -> String {
        self.0["id"].as_str().unwrap_or_default().to_owned()
    }

    /// As JSON.
    pub const fn json(&self) -> &Value {
        &self.0
    }
}
