//! The first page: how everything is doing.

use askama::Template;
use auditrelay_api_core::query::Query;
use http::Uri;

use super::coverage::Coverage;
use super::glance::{self, Row, Standing};
use super::moment::number;
use super::page::{self, Frame, Section};
use super::pager::Pager;
use super::place::Place;
use super::visit::{Answer, Visit};

/// Rows on one page of the list.
const ROWS: u64 = 25;
const STANDINGS: [(Standing, &str, &str, &str); 3] = [
    (Standing::Inactive, "inactive", "Inactive", "bad"),
    (Standing::Active, "active", "Active", "good"),
    (Standing::Off, "off", "Off", "quiet"),
];

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    counts: Vec<Count>,
    shown: &'static str,
    rows: Vec<Row>,
    pager: Pager,
    coverage: Coverage,
    /// Nothing is set up yet.
    begins: bool,
}

/// How many webhooks stand in one way.
struct Count {
    key: &'static str,
    name: &'static str,
    tone: &'static str,
    number: String,
    any: bool,
}

pub(super) async fn show(visit: Visit, uri: Uri) -> Answer {
    let places = glance::places(&visit.config, Place::organization(visit.org));
    let own = Place::organization(visit.org);
    let (rows, coverage) = tokio::try_join!(
        glance::rows(visit.api(), &visit.config, places),
        Coverage::read(visit.api(), own.scope),
    )?;
    let counts = STANDINGS.map(|(standing, key, name, tone)| {
        let many = rows.iter().filter(|row| row.standing == standing).count();
        Count { key, name, tone, number: number(many), any: many > 0 }
    });
    let asked = Query::parse(uri.query());
    let asked = STANDINGS.iter().find(|(_, key, ..)| asked.get("show") == Some(key));
    let mut rows: Vec<_> =
        rows.into_iter().filter(|row| asked.is_none_or(|(one, ..)| row.standing == *one)).collect();
    rows.sort_by_cached_key(|row| (row.standing, row.place.name.to_lowercase()));
    let (mut pager, shown) = Pager::range(uri.query(), ROWS, rows.len());
    if let Some((_, key, ..)) = asked {
        pager.kept = format!("show={key}&");
    }
    let rows = rows.into_iter().skip(shown.start).take(shown.len()).collect();
    let frame = visit.frame("Overview", Section::Overview)?;
    let shown = asked.map_or("", |(_, key, ..)| *key);
    let begins = visit.config.webhooks.is_empty();
    Ok(page::ok(&Page { frame, counts: counts.into(), shown, rows, pager, coverage, begins }))
}
