//! How a webhook is doing, and who must act.

use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;
use auditrelay_api_core::lag::Lag;
use auditrelay_api_core::{delivery, status};
use auditrelay_model::Timestamp;
use auditrelay_runtime::problem::Problem;

use super::behind;
use super::moment::{Moment, bytes, count, span};
use super::place::Place;
use super::visit::Visit;
use super::words::Badge;
use crate::http::status::read;
use crate::problems;

/// What waits and expires sooner is pointed out.
const SOON: Duration = Duration::from_hours(24);

const ALONE: &str = "The receiver refused events alone while it took those around them. They are \
                     in Quarantine: send them again, or discard them.";

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
    waiting: Option<Waiting>,
    proof: Option<Moment>,
    attempt: Option<Moment>,
    response: Option<u16>,
    message: String,
    totals: [(&'static str, String); 6],
}

/// What waits to be delivered.
struct Waiting {
    events: String,
    oldest: Moment,
    /// How long the oldest has waited.
    waited: String,
    /// When the oldest is kept no longer.
    expires: Moment,
    soon: bool,
}

impl Waiting {
    fn of(lag: &Lag, now: Timestamp) -> Option<Self> {
        let (oldest, expires) = (lag.oldest?, lag.expires_at()?);
        Some(Self {
            events: count(lag.events),
            oldest: Moment::new(oldest, now),
            waited: span(lag.waited(now).as_secs()),
            expires: Moment::new(expires, now),
            soon: expires < now + SOON,
        })
    }
}

impl HtmlSafe for Panel {}

impl Panel {
    pub(super) async fn read(visit: &Visit, place: &Place) -> Result<Self, Problem> {
        let (api, scope) = (visit.api(), place.scope);
        let (status, lane) = read(api, &visit.config, scope).await?;
        let webhook = visit.config.webhooks.get(&scope);
        let (lag, proof) = tokio::try_join!(
            behind::lag(&api.streams, scope, webhook, &lane),
            behind::proof(&api.streams, scope, &lane),
        )
        .map_err(|error| problems::unread(&error))?;
        let now = api.now();
        let alone = lane.hold.is_none() && lag.events == 0 && lane.totals.events_quarantined > 0;
        let mut panel = Self::of(delivery::View::of(status, &lane), now);
        if panel.badge == Badge::of_webhook("inactive") && alone {
            panel.meaning = "The last request was refused, and nothing waits.";
            panel.act = Some(ALONE.to_owned());
        }
        let proof = proof.map(|at| Moment::new(at, now));
        Ok(Self { waiting: Waiting::of(&lag, now), proof, ..panel })
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
            waiting: None,
            proof: None,
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
