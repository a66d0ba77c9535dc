//! What a job is asked for beyond its window, and what an estimate of it says.

use std::fmt::Write as _;

use auditrelay_model::Timestamp;
use auditrelay_model::id::{DestinationId, PortalId};
use serde_json::{Map, Value, json};

/// What a job is asked for beyond its window.
#[derive(Debug, Default, clap::Args)]
pub(super) struct WishArgs {
    /// A name for people
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Only this kind of events: authentication, authorization or `gateway_access`; may be repeated
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// Only what the destination has not acknowledged
    #[arg(long)]
    unacknowledged: bool,
    /// Another destination of the organization than the webhook's
    #[arg(long, value_name = "ID")]
    destination: Option<DestinationId>,
    /// Another format than the destination's: cef, json or cps
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// One job for each portal that has an enabled webhook
    #[arg(long, conflicts_with_all = ["portal", "wait", "dry_run"])]
    pub(super) all_portals: bool,
}

impl WishArgs {
    /// Whether it asks for no more than Konnect's own API can.
    pub(super) fn is_plain(&self) -> bool {
        self.name.is_none()
            && self.kinds.is_empty()
            && !self.unacknowledged
            && self.destination.is_none()
            && self.format.is_none()
            && !self.all_portals
    }

    /// The body that asks for it.
    pub(super) fn body(
        &self,
        portal: Option<PortalId>,
        (start, end): (Timestamp, Timestamp),
    ) -> Value {
        let mut body = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            body.extend(value.map(|value| (name.to_owned(), value)));
        };
        set("start_at", Some(json!(start.to_string())));
        set("end_at", Some(json!(end.to_string())));
        set("portal_id", portal.map(|portal| json!(portal.to_string())));
        set("name", self.name.as_ref().map(|name| json!(name)));
        set("kinds", (!self.kinds.is_empty()).then(|| json!(self.kinds)));
        set("unacknowledged_only", self.unacknowledged.then_some(Value::Bool(true)));
        set("destination_id", self.destination.map(|id| json!(id.to_string())));
        set("log_format", self.format.as_ref().map(|format| json!(format)));
        Value::Object(body)
    }
}

/// An estimate for people.
pub(super) fn estimate(found: &Value) -> String {
    let count = |name: &str| found.get(name).and_then(Value::as_u64).unwrap_or(0);
    let exact = found.get("exact").and_then(Value::as_bool).unwrap_or(false);
    let mut text = format!(
        "{}{} events in {} requests, about {} bytes; likely {} s at {} events a second ({})",
        if exact { "" } else { "at least " },
        count("events"),
        count("batches"),
        count("body_bytes"),
        count("eta_seconds"),
        count("events_per_second"),
        found.get("rate").and_then(Value::as_str).unwrap_or("assumed"),
    );
    if !exact {
        let _ = write!(text, "; at most {} events", count("events_max"));
    }
    let overlaps = found.get("overlaps").and_then(Value::as_array);
    for job in overlaps.into_iter().flatten() {
        let part = |name: &str| job.get(name).and_then(Value::as_str).unwrap_or("?");
        let _ = write!(
            text,
            "\n  overlaps job {} ({}), {} to {}",
            part("id"),
            part("state"),
            part("start_at"),
            part("end_at")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_says_what_was_asked_for_and_nothing_else() {
        let window = (Timestamp::from_nanos(0), Timestamp::from_nanos(1_000_000_000));
        let plain = WishArgs::default();
        assert!(plain.is_plain());
        let body = plain.body(None, window);
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        let kinds = vec!["authorization".to_owned()];
        let wish = WishArgs { kinds, unacknowledged: true, ..WishArgs::default() };
        assert!(!wish.is_plain());
        let body = wish.body(None, window);
        assert_eq!(body["kinds"], json!(["authorization"]));
        assert_eq!(body["unacknowledged_only"], true);
    }

    #[test]
    fn an_estimate_says_at_least_where_not_everything_was_counted() {
        let found = json!({"events": 5, "batches": 1, "exact": false, "events_max": 9, "overlaps": [
            {"id": "j", "state": "completed", "start_at": "a", "end_at": "b"}]});
        let text = estimate(&found);
        assert!(text.starts_with("at least 5 events in 1 requests"), "{text}");
        assert!(text.contains("at most 9 events\n  overlaps job j (completed)"), "{text}");
    }
}
