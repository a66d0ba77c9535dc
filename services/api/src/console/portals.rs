//! Dev Portals, and which of them have an audit log.

use askama::Template;
use auditrelay_api_core::authz::Ask;
use auditrelay_model::Scope;
use auditrelay_model::id::PortalId;
use auditrelay_runtime::problem::Problem;
use http::{StatusCode, Uri};
use serde_json::json;

use super::form::{self, Errors, Fields, Form};
use super::glance::{self, Row};
use super::page::{self, Frame, Section};
use super::pager::Pager;
use super::place::{Named, Place};
use super::visit::{Answer, Visit};
use super::webhook::{self, Choice, choices};
use crate::http::portals::make;
use crate::http::webhook::change;

/// Rows on one page of a list.
const ROWS: u64 = 25;
/// The one region that a deployment has.
const REGION: &str = "local";
/// The menu of regions: what a form sends, and what people read.
pub(super) const REGIONS: [(&str, &str); 1] = [(REGION, "This deployment")];
const FIELDS: &Fields = &[("name", "name", "Name")];

#[derive(Template)]
#[template(path = "portals.html")]
struct All {
    frame: Frame,
    rows: Vec<PortalRow>,
    pager: Pager,
}

struct PortalRow {
    name: String,
    id: String,
    href: String,
    logs: bool,
}

pub(super) async fn all(visit: Visit, uri: Uri) -> Answer {
    let mut portals: Vec<_> = visit.config.portals.values().collect();
    portals.sort_by_cached_key(|portal| portal.display_name.to_lowercase());
    let (pager, shown) = Pager::cut(uri.query(), ROWS, &portals);
    let rows = shown.iter().map(|portal| {
        let place = Place::portal(visit.org, portal.id, &portal.display_name);
        let webhook = visit.config.webhooks.get(&place.scope);
        let logs = webhook.is_some_and(|webhook| webhook.enabled);
        PortalRow { name: place.name, id: portal.id.to_string(), href: place.base, logs }
    });
    let rows = rows.collect();
    let frame = visit.frame("Dev Portals", Section::Portals)?;
    Ok(page::ok(&All { frame, rows, pager }))
}

#[derive(Template)]
#[template(path = "portal_new.html")]
struct New {
    frame: Frame,
    name: String,
    errors: Errors,
}

pub(super) async fn new(visit: Visit) -> Answer {
    visit.signed.own(Ask::ChangeConfig)?;
    let frame = visit.frame("New portal", Section::Portals)?;
    Ok(page::ok(&New { frame, name: String::new(), errors: Errors::default() }))
}

pub(super) async fn create(visit: Visit, form: Form) -> Answer {
    let name = form.text("name");
    match make(&visit.signed, json!({ "name": name }).to_string().as_bytes()).await {
        Ok(_) => Ok(page::see("/console/portals?done=created")),
        Err(problem) => {
            let (status, errors) = Errors::from(problem, FIELDS)?;
            let frame = visit.frame("New portal", Section::Portals)?;
            Ok(form::refused(status, &New { frame, name: name.to_owned(), errors }))
        }
    }
}

#[derive(Template)]
#[template(path = "portal_logs.html")]
struct Logs {
    frame: Frame,
    rows: Vec<Row>,
    pager: Pager,
}

/// Portals whose audit log was ever set up.
pub(super) async fn logs(visit: Visit, uri: Uri) -> Answer {
    let config = &visit.config;
    let has = |id: PortalId| config.webhooks.contains_key(&Scope::Portal(visit.org, id));
    let mut portals: Vec<_> = config.portals.values().filter(|one| has(one.id)).collect();
    portals.sort_by_cached_key(|portal| portal.display_name.to_lowercase());
    let (pager, shown) = Pager::cut(uri.query(), ROWS, &portals);
    let places =
        shown.iter().map(|portal| Place::portal(visit.org, portal.id, &portal.display_name));
    let rows = glance::rows(visit.api(), config, places.collect()).await?;
    let frame = visit.frame("Dev Portal audit logs", Section::PortalLogs)?;
    Ok(page::ok(&Logs { frame, rows, pager }))
}

#[derive(Template)]
#[template(path = "portal_log_new.html")]
struct NewLog {
    frame: Frame,
    regions: [(&'static str, &'static str); 1],
    /// Id and name of portals that have no audit log yet.
    portals: Vec<(String, String)>,
    endpoints: Vec<Choice>,
    portal: String,
    enabled: bool,
    endpoint: String,
    errors: Errors,
}

impl NewLog {
    fn new(visit: &Visit) -> Result<Self, Problem> {
        let config = &visit.config;
        let has = |id: PortalId| {
            let webhook = config.webhooks.get(&Scope::Portal(visit.org, id));
            webhook.is_some_and(|webhook| webhook.destination.is_some())
        };
        let free = config.portals.values().filter(|portal| !has(portal.id));
        let mut portals: Vec<(String, String)> =
            free.map(|portal| (portal.id.to_string(), portal.display_name.clone())).collect();
        portals.sort_by_cached_key(|(_, name)| name.to_lowercase());
        Ok(Self {
            frame: visit.frame("New Dev Portal audit log", Section::PortalLogs)?,
            regions: REGIONS,
            portals,
            endpoints: choices(config, None),
            portal: String::new(),
            enabled: false,
            endpoint: String::new(),
            errors: Errors::default(),
        })
    }

    fn refused(visit: &Visit, form: &Form, status: StatusCode, errors: Errors) -> Answer {
        let page = Self {
            portal: form.text("portal").to_owned(),
            enabled: form.is_on("enabled"),
            endpoint: form.text("endpoint").to_owned(),
            errors,
            ..Self::new(visit)?
        };
        Ok(form::refused(status, &page))
    }
}

pub(super) async fn new_log(visit: Visit) -> Answer {
    visit.signed.own(Ask::ChangeConfig)?;
    Ok(page::ok(&NewLog::new(&visit)?))
}

pub(super) async fn save_log(visit: Visit, form: Form) -> Answer {
    visit.signed.own(Ask::ChangeConfig)?;
    let wrong = |field, text| {
        NewLog::refused(&visit, &form, StatusCode::BAD_REQUEST, Errors::one(field, text))
    };
    if form.text("region") != REGION {
        return wrong("region", "Choose a region.");
    }
    let Ok(portal) = form.text("portal").parse() else {
        return wrong("portal", "Choose a Dev Portal.");
    };
    let place = Place::find(Named::Portal(portal), visit.org, &visit.config)?;
    if form.text("endpoint").is_empty() {
        return wrong("endpoint", "Choose an endpoint.");
    }
    match change(&visit.signed, place.scope, &webhook::body(&form)).await {
        Ok(_) => Ok(page::see(&format!("{}?done=saved", place.base))),
        Err(problem) => {
            let (status, errors) = Errors::from(problem, webhook::FIELDS)?;
            NewLog::refused(&visit, &form, status, errors)
        }
    }
}
