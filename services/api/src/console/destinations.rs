//! Webhook destinations: list, new, edit, delete.

use askama::Template;
use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::test_delivery::View;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::destination::Destination;
use auditrelay_model::id::DestinationId;
use auditrelay_runtime::problem::Problem;
use axum::extract::Path;
use http::{StatusCode, Uri};
use serde_json::json;

use super::form::{self, Errors, Fields, Form};
use super::moment::Moment;
use super::page::{self, Frame, Section};
use super::pager::Pager;
use super::place::Place;
use super::preview::Preview;
use super::tested::Tested;
use super::visit::{Answer, Visit};
use crate::http::destinations::{change, make, remove};
use crate::http::test_delivery::{of_draft, of_stored};

/// The form's fields, as the API names them and as people read them.
const FIELDS: &Fields = &[
    ("name", "name", "Name"),
    ("endpoint", "endpoint", "Endpoint"),
    ("authorization", "authorization", "Authorization Header"),
    ("log_format", "log_format", "Log Format"),
    ("skip_ssl_verification", "skip_ssl_verification", "Disable SSL Verification"),
];
/// Rows on one page of the list.
const ROWS: u64 = 50;
const CHANGED: &str = "Somebody else changed this webhook while you did. Below is what you typed: \
                       save it once more to put it in place of theirs.";
const FORMATS: [(&str, &str); 3] = [
    ("cef", "Common Event Format, one line an event"),
    ("json", "one JSON object a line"),
    ("cps", "the JSON object inside an event envelope"),
];

#[derive(Template)]
#[template(path = "destinations.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    pager: Pager,
}

struct Row {
    id: String,
    name: String,
    endpoint: String,
    format: &'static str,
    unverified: bool,
    uses: usize,
}

pub(super) async fn list(visit: Visit, uri: Uri) -> Answer {
    let config = &visit.config;
    let listed = config.destinations.values().filter(|destination| !destination.implicit);
    let mut all: Vec<_> = listed.collect();
    all.sort_by_cached_key(|destination| destination.name.to_lowercase());
    let (pager, shown) = Pager::cut(uri.query(), ROWS, &all);
    let rows = shown.iter().map(|destination| Row {
        id: destination.id.to_string(),
        name: destination.name.clone(),
        endpoint: destination.endpoint.clone(),
        format: destination.log_format.name(),
        unverified: destination.tls.skips(),
        uses: users(&visit, destination.id).len(),
    });
    let rows = rows.collect();
    let frame = visit.frame("Webhook destinations", Section::Destinations)?;
    Ok(page::ok(&List { frame, rows, pager }))
}

/// The places whose webhooks name a destination.
fn users(visit: &Visit, id: DestinationId) -> Vec<Place> {
    let config = &visit.config;
    let webhooks = config.webhooks.iter();
    let scopes = webhooks.filter(|(_, webhook)| webhook.destination == Some(id));
    let places = scopes.filter_map(|(scope, _)| match scope.portal() {
        None => Some(Place::organization(visit.org)),
        Some(portal) => {
            let name = &config.portals.get(&portal)?.display_name;
            Some(Place::portal(visit.org, portal, name))
        }
    });
    places.collect()
}

#[derive(Template)]
#[template(path = "destination.html")]
struct Editor {
    frame: Frame,
    /// None for a new one.
    id: Option<String>,
    name: String,
    endpoint: String,
    log_format: String,
    unverified: bool,
    /// When what is shown was last changed.
    seen: String,
    formats: [(&'static str, &'static str); 3],
    changed: Option<Moment>,
    users: Vec<Place>,
    preview: Preview,
    /// What came of a test event.
    tested: Option<Tested>,
    errors: Errors,
}

impl Editor {
    async fn new(visit: &Visit) -> Result<Self, Problem> {
        Self::empty(visit, Vec::new()).await
    }

    async fn empty(visit: &Visit, users: Vec<Place>) -> Result<Self, Problem> {
        Ok(Self {
            frame: visit.frame("New webhook", Section::Destinations)?,
            id: None,
            name: String::new(),
            endpoint: String::new(),
            log_format: "cef".to_owned(),
            unverified: false,
            seen: String::new(),
            formats: FORMATS,
            changed: None,
            tested: None,
            preview: Preview::read(visit, &users).await?,
            users,
            errors: Errors::default(),
        })
    }

    async fn of(visit: &Visit, destination: &Destination) -> Result<Self, Problem> {
        Ok(Self {
            frame: visit.frame(&destination.name, Section::Destinations)?,
            id: Some(destination.id.to_string()),
            name: destination.name.clone(),
            endpoint: destination.endpoint.clone(),
            log_format: destination.log_format.name().to_owned(),
            unverified: destination.tls.skips(),
            seen: destination.updated_at.to_string(),
            changed: Some(Moment::new(destination.updated_at, visit.api().now())),
            ..Self::empty(visit, users(visit, destination.id)).await?
        })
    }

    /// As it was typed, except for the secret.
    fn typed(self, form: &Form, errors: Errors) -> Self {
        Self {
            name: form.text("name").to_owned(),
            endpoint: form.text("endpoint").to_owned(),
            log_format: form.text("log_format").to_owned(),
            unverified: form.is_on("skip_ssl_verification"),
            errors,
            ..self
        }
    }
}

pub(super) async fn new(visit: Visit) -> Answer {
    visit.signed.own(Ask::ChangeConfig)?;
    Ok(page::ok(&Editor::new(&visit).await?))
}

pub(super) async fn create(visit: Visit, form: Form) -> Answer {
    match make(&visit.signed, &body(&form)).await {
        Ok(_) => Ok(page::see("/console/setup/destinations?done=created")),
        Err(problem) => {
            let (status, errors) = Errors::from(problem, FIELDS)?;
            let editor = Editor::new(&visit).await?.typed(&form, errors);
            Ok(form::refused(status, &editor))
        }
    }
}

/// What a client of the JSON API would send. An authorization value that was not typed again
/// stays what it is.
fn body(form: &Form) -> Vec<u8> {
    let mut body = json!({
        "name": form.text("name"),
        "endpoint": form.text("endpoint").trim(),
        "log_format": form.text("log_format"),
        "skip_ssl_verification": form.is_on("skip_ssl_verification"),
    });
    let authorization = form.text("authorization");
    if let Some(body) = body.as_object_mut().filter(|_| !authorization.is_empty()) {
        body.insert("authorization".to_owned(), json!(authorization));
    }
    body.to_string().into_bytes()
}

fn find(config: &OrgConfig, id: &str) -> Result<Destination, Problem> {
    let id: DestinationId = id.parse().map_err(|_| Problem::not_found())?;
    let found = config.destinations.get(&id).filter(|destination| !destination.implicit);
    found.cloned().ok_or_else(Problem::not_found)
}

pub(super) async fn edit(visit: Visit, Path(id): Path<String>) -> Answer {
    let destination = find(&visit.config, &id)?;
    Ok(page::ok(&Editor::of(&visit, &destination).await?))
}

pub(super) async fn save(visit: Visit, Path(id): Path<String>, form: Form) -> Answer {
    visit.signed.own(Ask::ChangeConfig)?;
    let destination = find(&visit.config, &id)?;
    let seen = form.text("seen");
    if !seen.is_empty() && seen != destination.updated_at.to_string() {
        let editor = Editor::of(&visit, &destination).await?.typed(&form, Errors::whole(CHANGED));
        return Ok(form::refused(StatusCode::CONFLICT, &editor));
    }
    match change(&visit.signed, destination.id, &body(&form)).await {
        Ok(_) => Ok(page::see("/console/setup/destinations?done=saved")),
        Err(problem) => {
            let (status, errors) = Errors::from(problem, FIELDS)?;
            let editor = Editor::of(&visit, &destination).await?.typed(&form, errors);
            Ok(form::refused(status, &editor))
        }
    }
}

/// Sends a test event to what the form says, which is not saved.
pub(super) async fn try_new(visit: Visit, form: Form) -> Answer {
    let seen = of_draft(&visit.signed, &body(&form)).await;
    tried(Editor::new(&visit).await?, &form, seen)
}

/// The same for a destination that is there; the stored authorization is used unless another one
/// was typed.
pub(super) async fn try_stored(visit: Visit, Path(id): Path<String>, form: Form) -> Answer {
    visit.signed.own(Ask::ChangeConfig)?;
    let destination = find(&visit.config, &id)?;
    let seen = of_stored(&visit.signed, destination.id, &body(&form)).await;
    let mut editor = Editor::of(&visit, &destination).await?;
    form.text("seen").clone_into(&mut editor.seen);
    tried(editor, &form, seen)
}

fn tried(editor: Editor, form: &Form, seen: Result<View, Problem>) -> Answer {
    match seen {
        Ok(view) => {
            let tested = Some(Tested::of(view));
            Ok(page::ok(&Editor { tested, ..editor.typed(form, Errors::default()) }))
        }
        Err(problem) => {
            let (status, errors) = Errors::from(problem, FIELDS)?;
            Ok(form::refused(status, &editor.typed(form, errors)))
        }
    }
}

#[derive(Template)]
#[template(path = "destination_delete.html")]
struct Deletion {
    frame: Frame,
    id: String,
    name: String,
    users: Vec<Place>,
    errors: Errors,
}

impl Deletion {
    fn of(visit: &Visit, destination: &Destination, errors: Errors) -> Result<Self, Problem> {
        Ok(Self {
            frame: visit.frame("Delete webhook", Section::Destinations)?,
            id: destination.id.to_string(),
            name: destination.name.clone(),
            users: users(visit, destination.id),
            errors,
        })
    }
}

pub(super) async fn ask_delete(visit: Visit, Path(id): Path<String>) -> Answer {
    visit.signed.own(Ask::ChangeConfig)?;
    let destination = find(&visit.config, &id)?;
    Ok(page::ok(&Deletion::of(&visit, &destination, Errors::default())?))
}

pub(super) async fn delete(visit: Visit, Path(id): Path<String>, _form: Form) -> Answer {
    let destination = find(&visit.config, &id)?;
    match remove(&visit.signed, destination.id).await {
        Ok(()) => Ok(page::see("/console/setup/destinations?done=deleted")),
        Err(problem) => {
            let (status, errors) = Errors::from(problem, FIELDS)?;
            Ok(form::refused(status, &Deletion::of(&visit, &destination, errors)?))
        }
    }
}
