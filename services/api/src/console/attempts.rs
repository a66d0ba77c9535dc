//! The requests that a webhook sent last.

use askama::Template;
use askama::filters::HtmlSafe;
use auditrelay_api_core::attempt::View;
use auditrelay_model::Timestamp;
use auditrelay_runtime::problem::Problem;

use super::moment::{Moment, bytes, count};
use super::place::Place;
use super::visit::Visit;
use crate::http::attempts::newest;
use crate::problems;

/// How many are shown.
const SHOWN: usize = 10;

/// The list below a webhook's settings.
#[derive(Template)]
#[template(path = "attempts.html")]
pub(super) struct Panel {
    rows: Vec<Row>,
}

struct Row {
    at: Option<Moment>,
    delivered: bool,
    status: Option<u16>,
    message: String,
    events: String,
    size: String,
    number: u32,
    took: String,
}

impl HtmlSafe for Panel {}

impl Panel {
    pub(super) async fn read(visit: &Visit, place: &Place) -> Result<Self, Problem> {
        let attempts = newest(&visit.api().streams, place.scope, SHOWN).await;
        let attempts = attempts.map_err(|error| problems::unread(&error))?;
        let now = visit.api().now();
        Ok(Self { rows: attempts.into_iter().map(|attempt| Row::of(attempt, now)).collect() })
    }
}

impl Row {
    fn of(attempt: View, now: Timestamp) -> Self {
        Self {
            at: Moment::parse(Some(&attempt.at), now),
            delivered: attempt.delivered,
            status: attempt.status,
            events: count(attempt.events),
            size: bytes(attempt.body_bytes),
            number: attempt.attempt,
            took: format!("{} ms", count(attempt.duration_ms)),
            message: attempt.message,
        }
    }
}
