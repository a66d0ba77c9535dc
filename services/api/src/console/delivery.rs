//! How a webhook is doing, and who must act.

use askama::Template;
use askama::filters::HtmlSafe;
use auditrelay_api_core::{delivery, status};
use auditrelay_model::Timestamp;
use auditrelay_model::config::OrgConfig;
use auditrelay_runtime::problem::Problem;

use super::moment::{Moment, bytes, count};
use super::place::Place;
use super::visit::Visit;
use super::words::Badge;
use crate::api::Api;
use crate::http::status::read;

/// The panel beside a webhook's settings.
#[derive(Template)]
#[template(path = "delivery.html")]
pub(super) struct Panel {
    badge: Badge,
    meaning: &'static str,
    act: Option<String>,
    enabled: bool,
    hold: Option<Moment>,
    hold_reason: String,
    behind: Option<Moment>,
    behind_reason: String,
    attempt: Option<Moment>,
    response: Option<u16>,
    message: String,
    totals: [(&'static str, String); 6],
}

impl HtmlSafe for Panel {}

impl Panel {
    pub(super) async fn read(visit: &Visit, place: &Place) -> Result<Self, Problem> {
        let (status, lane) = read(visit.api(), &visit.config, place.scope).await?;
        Ok(Self::of(delivery::View::of(status, &lane), visit.api().now()))
    }

    fn of(view: delivery::View, now: Timestamp) -> Self {
        let delivery::View { status, behind, hold, totals, .. } = view;
        let held = hold.as_ref();
        let act = match (status.webhook_status, held) {
            ("inactive", Some(hold)) if hold.customer_must_act => Some(
                "You must act: check the destination's address, its certificate and its \
                 Authorization Header. What was not delivered is kept and sent afterwards."
                    .to_owned(),
            ),
            ("inactive", _) => Some(
                "The receiver must answer again; nothing has to be done here. Delivery is tried \
                 again and goes on where it stopped."
                    .to_owned(),
            ),
            ("unconfigured", _) => {
                Some("Choose an endpoint and switch the webhook on to deliver.".to_owned())
            }
            _ => None,
        };
        let totals = [
            ("Events delivered", count(totals.events_delivered)),
            ("Events refused one by one", count(totals.events_quarantined)),
            ("Events expired undelivered", count(totals.events_expired)),
            ("Bytes delivered", bytes(totals.bytes_delivered)),
            ("Requests", count(totals.requests)),
            ("Requests that failed", count(totals.requests_failed)),
        ];
        Self {
            badge: Badge::of_webhook(status.webhook_status),
            meaning: meaning(&status),
            act,
            enabled: status.webhook_enabled,
            hold: held.and_then(|hold| Moment::parse(Some(&hold.since), now)),
            hold_reason: hold.map(|hold| hold.reason).unwrap_or_default(),
            behind: behind.as_ref().and_then(|behind| Moment::parse(Some(&behind.since), now)),
            behind_reason: behind.map(|behind| behind.reason).unwrap_or_default(),
            attempt: Moment::parse(status.last_attempt_at.as_deref(), now),
            response: status.last_response_code,
            message: status.last_response_message.unwrap_or_default(),
            totals,
        }
    }
}

fn meaning(status: &status::View) -> &'static str {
    match (status.webhook_status, status.last_attempt_at.is_some()) {
        ("active", true) => "The last attempt was delivered.",
        ("active", false) => "Nothing had to be delivered yet.",
        ("inactive", _) => "Delivery does not succeed at the moment.",
        _ => "There is no webhook yet.",
    }
}

/// A place's row in a list.
pub(super) struct Row {
    pub(super) place: Place,
    pub(super) endpoint: Option<String>,
    pub(super) switch: Badge,
    pub(super) status: Badge,
}

impl Row {
    pub(super) async fn read(api: &Api, config: &OrgConfig, place: Place) -> Result<Self, Problem> {
        let (status, _) = read(api, config, place.scope).await?;
        let webhook = config.webhooks.get(&place.scope);
        let destination = webhook.and_then(|webhook| webhook.destination);
        let destination = destination.and_then(|id| config.destinations.get(&id));
        Ok(Self {
            endpoint: destination.map(|destination| destination.name.clone()),
            switch: Badge::of_switch(webhook.is_some_and(|webhook| webhook.enabled)),
            status: Badge::of_webhook(status.webhook_status),
            place,
        })
    }
}
