//! A place's webhook: its switch, its endpoint, and how delivery is doing.

use askama::Template;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::id::DestinationId;
use auditrelay_runtime::problem::Problem;
use serde_json::json;

use super::attempts;
use super::delivery::Panel;
use super::form::{self, Errors, Fields, Form};
use super::pace;
use super::page::{self, Frame};
use super::place::{Named, Place};
use super::visit::{Answer, Visit};
use crate::http::webhook::change;

/// The form's fields, as the API names them and as people read them.
pub(super) const FIELDS: &Fields =
    &[("enabled", "enabled", "Enabled"), ("endpoint", "audit_log_destination_id", "Endpoint")];

#[derive(Template)]
#[template(path = "webhook.html")]
struct Page {
    frame: Frame,
    place: Place,
    tab: &'static str,
    enabled: bool,
    endpoint: String,
    endpoints: Vec<Choice>,
    panel: Panel,
    pace: pace::Panel,
    attempts: attempts::Panel,
    errors: Errors,
}

/// A destination in a menu.
pub(super) struct Choice {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) endpoint: String,
}

/// Every destination, and one that is not listed elsewhere if it is in use here.
pub(super) fn choices(config: &OrgConfig, chosen: Option<DestinationId>) -> Vec<Choice> {
    let all = config.destinations.values();
    let listed = all.filter(|one| !one.implicit || Some(one.id) == chosen);
    let mut choices: Vec<Choice> = listed
        .map(|one| Choice {
            id: one.id.to_string(),
            name: one.name.clone(),
            endpoint: one.endpoint.clone(),
        })
        .collect();
    choices.sort_by_cached_key(|choice| choice.name.to_lowercase());
    choices
}

impl Page {
    async fn read(visit: &Visit, place: Place) -> Result<Self, Problem> {
        let webhook = visit.config.webhooks.get(&place.scope);
        let destination = webhook.and_then(|webhook| webhook.destination);
        Ok(Self {
            frame: visit.frame(&place.name, place.section())?,
            tab: "settings",
            enabled: webhook.is_some_and(|webhook| webhook.enabled),
            endpoint: destination.map(|id| id.to_string()).unwrap_or_default(),
            endpoints: choices(&visit.config, destination),
            panel: Panel::read(visit, &place).await?,
            pace: pace::Panel::read(visit, &place).await?,
            attempts: attempts::Panel::read(visit, &place).await?,
            errors: Errors::default(),
            place,
        })
    }
}

pub(super) async fn show(visit: Visit, named: Named) -> Answer {
    let place = Place::find(named, visit.org, &visit.config)?;
    Ok(page::ok(&Page::read(&visit, place).await?))
}

pub(super) async fn save(visit: Visit, named: Named, form: Form) -> Answer {
    let place = Place::find(named, visit.org, &visit.config)?;
    match change(&visit.signed, place.scope, &body(&form)).await {
        Ok(_) => Ok(page::see(&format!("{}?done=saved", place.base))),
        Err(problem) => {
            let (status, errors) = Errors::from(problem, FIELDS)?;
            let page = Page::read(&visit, place).await?;
            let (enabled, endpoint) = (form.is_on("enabled"), form.text("endpoint").to_owned());
            Ok(form::refused(status, &Page { enabled, endpoint, errors, ..page }))
        }
    }
}

/// What a client of the JSON API would send; the menu's first line is no endpoint.
pub(super) fn body(form: &Form) -> Vec<u8> {
    let endpoint = Some(form.text("endpoint")).filter(|endpoint| !endpoint.is_empty());
    let body = json!({
        "enabled": form.is_on("enabled"),
        "audit_log_destination_id": endpoint,
    });
    body.to_string().into_bytes()
}
