//! The first page: how everything is doing.

use askama::Template;
use auditrelay_model::Scope;

use super::delivery::Row;
use super::moment::count;
use super::page::{self, Frame, Section};
use super::place::Place;
use super::visit::{Answer, Visit};

/// Most portals whose status is shown here.
const SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "organization.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    facts: [(&'static str, String); 3],
    more: bool,
}

pub(super) async fn show(visit: Visit) -> Answer {
    let config = &visit.config;
    let portals = config
        .portals
        .values()
        .filter(|portal| config.webhooks.contains_key(&Scope::Portal(visit.org, portal.id)));
    let portals: Vec<_> = portals.collect();
    let mut places = vec![Place::organization(visit.org)];
    let shown = portals.iter().take(SHOWN);
    places.extend(shown.map(|portal| Place::portal(visit.org, portal.id, &portal.display_name)));
    let mut rows = Vec::new();
    for place in places {
        rows.push(Row::read(visit.api(), config, place).await?);
    }
    let destinations = config.destinations.values().filter(|one| !one.implicit).count();
    let facts = [
        ("Organization ID", visit.org.to_string()),
        ("Webhook destinations", number(destinations)),
        ("Dev Portals", number(config.portals.len())),
    ];
    let frame = visit.frame("Organization", Section::Organization)?;
    Ok(page::ok(&Page { frame, rows, facts, more: portals.len() > SHOWN }))
}

fn number(items: usize) -> String {
    count(u64::try_from(items).unwrap_or(u64::MAX))
}
