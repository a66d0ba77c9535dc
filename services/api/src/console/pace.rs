//! What a webhook delivered in the last hour and the last day, as charts.

use askama::Template;
use askama::filters::HtmlSafe;
use auditrelay_api_core::throughput::{DAY, HOUR, Part, Row, parts};
use auditrelay_model::Timestamp;
use auditrelay_model::delivery::{Lane, Totals};
use auditrelay_runtime::problem::Problem;
use auditrelay_streams::{ReadError, Start};
use futures::future::try_join_all;

use super::chart::{Bar, Chart};
use super::moment::clock;
use super::place::Place;
use super::visit::Visit;
use crate::api::Api;
use crate::problems;

/// The charts below a webhook's settings.
#[derive(Template)]
#[template(
    source = r#"<div class="charts">{% for chart in charts %}{{ chart }}{% endfor %}</div>"#,
    ext = "html"
)]
pub(super) struct Panel {
    charts: [Chart; 4],
}

impl HtmlSafe for Panel {}

impl Panel {
    pub(super) async fn read(visit: &Visit, place: &Place) -> Result<Self, Problem> {
        let api = visit.api();
        let totals = api.lane(place.scope, Lane::Live).await?.totals;
        let (hour, day) =
            tokio::try_join!(row(api, place, HOUR, totals), row(api, place, DAY, totals))
                .map_err(|error| problems::unread(&error))?;
        let charts = [
            events("Events delivered, last hour", &hour),
            events("Events delivered, last day", &day),
            requests("Requests, last hour", &hour),
            requests("Requests, last day", &day),
        ];
        Ok(Self { charts })
    }
}

async fn row(api: &Api, place: &Place, row: Row, now: Totals) -> Result<Vec<Part>, ReadError> {
    let first = async |border: Timestamp| {
        let found = api.streams.delivery_at(place.scope, Lane::Live, Start::Time(border)).await?;
        Ok::<_, ReadError>((border, found.map(|(_, fact)| fact)))
    };
    let borders = try_join_all(row.borders(api.now()).into_iter().map(first)).await?;
    Ok(parts(&borders, now))
}

fn events(title: &'static str, parts: &[Part]) -> Chart {
    let bars = parts.iter().map(|part| {
        let Totals { events_delivered, events_quarantined, events_expired, .. } = part.done;
        let label = clock(part.start);
        Bar { label, good: events_delivered, bad: events_quarantined + events_expired }
    });
    Chart::of(title, "From (UTC)", ["Delivered", "Refused or expired"], bars.collect())
}

fn requests(title: &'static str, parts: &[Part]) -> Chart {
    let bars = parts.iter().map(|part| {
        let Totals { requests, requests_failed, .. } = part.done;
        let label = clock(part.start);
        Bar { label, good: requests.saturating_sub(requests_failed), bad: requests_failed }
    });
    Chart::of(title, "From (UTC)", ["Delivered", "Failed"], bars.collect())
}
