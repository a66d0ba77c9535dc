//! How a webhook is doing: a fact, where *enabled* is a wish.

use auditrelay_model::delivery::{LaneState, LastAttempt};
use auditrelay_model::webhook::{Webhook, WebhookStatus};
use serde::Serialize;

/// A webhook's status on the wire. What never happened is left out.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// Whether it is switched on.
    pub webhook_enabled: bool,
    /// What the last attempt says.
    pub webhook_status: &'static str,
    /// When the last attempt ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_attempt_at: Option<String>,
    /// HTTP status of its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_response_code: Option<u16>,
    /// First bytes of its answer, or the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_response_message: Option<String>,
}

impl View {
    /// A webhook's status from its lanes: the live one, and that of the newest replay job.
    pub fn of(webhook: Option<&Webhook>, lanes: &[&LaneState]) -> Self {
        let configured = webhook.filter(|webhook| webhook.destination.is_some());
        let attempt = configured.and_then(|webhook| last_attempt(webhook, lanes));
        Self {
            webhook_enabled: configured.is_some_and(|webhook| webhook.enabled),
            webhook_status: judge(configured, attempt, lanes).name(),
            last_attempt_at: attempt.map(|attempt| attempt.at.to_string()),
            last_response_code: attempt.and_then(|attempt| attempt.status),
            last_response_message: attempt.map(|attempt| attempt.message.clone()),
        }
    }
}

/// Never tried, or delivered: active. A lane that holds is inactive whatever came last.
fn judge(
    webhook: Option<&Webhook>,
    attempt: Option<&LastAttempt>,
    lanes: &[&LaneState],
) -> WebhookStatus {
    let Some(webhook) = webhook else { return WebhookStatus::Unconfigured };
    let holds = lanes.iter().filter(|lane| lane.stopped.is_none());
    let holds = holds
        .filter_map(|lane| lane.hold.as_ref())
        .any(|hold| webhook.since.is_some_and(|since| hold.since >= since));
    match attempt {
        _ if holds => WebhookStatus::Inactive,
        Some(LastAttempt { delivered: false, .. }) => WebhookStatus::Inactive,
        Some(LastAttempt { delivered: true, .. }) | None => WebhookStatus::Active,
    }
}

/// The newest attempt of any lane; one from before this webhook could send belongs to a webhook
/// that was removed.
fn last_attempt<'a>(webhook: &Webhook, lanes: &[&'a LaneState]) -> Option<&'a LastAttempt> {
    let since = webhook.since?;
    let attempts = lanes.iter().filter_map(|lane| lane.last_attempt.as_ref());
    attempts.filter(|attempt| attempt.at >= since).max_by_key(|attempt| attempt.at)
}

#[cfg(test)]
mod tests {
    use auditrelay_model::Timestamp;
    use auditrelay_model::delivery::Hold;
    use auditrelay_model::id::DestinationId;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn webhook(enabled: bool) -> Webhook {
        let destination = Some(DestinationId::from_uuid(Uuid::from_u128(1)));
        Webhook { destination, enabled, since: Some(at(10)), updated_at: at(10) }
    }

    fn lane(seconds: i64, status: Option<u16>) -> LaneState {
        let delivered = status.is_some_and(|status| status < 300);
        let message = "said".to_owned();
        let last_attempt = Some(LastAttempt { at: at(seconds), delivered, status, message });
        LaneState { last_attempt, ..LaneState::default() }
    }

    fn shown(webhook: Option<&Webhook>, lanes: &[&LaneState]) -> serde_json::Value {
        serde_json::to_value(View::of(webhook, lanes)).unwrap()
    }

    #[test]
    fn what_never_happened_is_left_out() {
        let unset = json!({"webhook_enabled": false, "webhook_status": "unconfigured"});
        assert_eq!(shown(None, &[]), unset);
        let cleared = Webhook { destination: None, ..webhook(false) };
        assert_eq!(shown(Some(&cleared), &[&lane(11, Some(500))]), unset);
        let untried = json!({"webhook_enabled": true, "webhook_status": "active"});
        assert_eq!(shown(Some(&webhook(true)), &[&LaneState::default()]), untried);
        assert_eq!(
            shown(Some(&webhook(true)), &[&lane(9, Some(500))]),
            untried,
            "an older webhook"
        );
    }

    #[test]
    fn the_newest_attempt_of_any_lane_counts() {
        let lanes = [&lane(11, Some(202)), &lane(12, Some(503))];
        let expected = json!({"webhook_enabled": false, "webhook_status": "inactive",
            "last_attempt_at": "1970-01-01T00:00:12Z", "last_response_code": 503,
            "last_response_message": "said"});
        assert_eq!(shown(Some(&webhook(false)), &lanes), expected);
        let view = View::of(Some(&webhook(true)), &[&lane(13, None)]);
        assert_eq!((view.webhook_status, view.last_response_code), ("inactive", None));
    }

    #[test]
    fn a_lane_that_holds_is_inactive() {
        let reason = "refused".to_owned();
        let hold = Some(Hold { reason, customer_must_act: true, since: at(11), probes: 0 });
        let holding = LaneState { hold, ..lane(12, Some(200)) };
        assert_eq!(View::of(Some(&webhook(true)), &[&holding]).webhook_status, "inactive");
        let stopped = Some(("removed".to_owned(), String::new()));
        let stopped = LaneState { stopped, ..holding };
        assert_eq!(View::of(Some(&webhook(true)), &[&stopped]).webhook_status, "active");
    }
}
