//! Who may call: the organization's tokens, new ones, and their end.

use std::time::Duration;

use askama::Template;
use auditrelay_api_core::authz::{Ask, permits};
use auditrelay_model::Timestamp;
use auditrelay_model::id::TokenId;
use auditrelay_model::token::Token;
use auditrelay_runtime::problem::Problem;
use axum::extract::Path;
use http::{StatusCode, Uri};
use serde_json::json;

use super::form::{self, Errors, Fields, Form};
use super::moment::{self, Moment};
use super::page::{self, Frame, Section};
use super::pager::Pager;
use super::visit::{Answer, Visit};
use super::words::Badge;
use crate::http::tokens::{end, make};
use crate::problems;

const ROWS: u64 = 50;
/// The form's fields, as the API names them and as people read them.
const FIELDS: &Fields =
    &[("name", "name", "Name"), ("role", "role", "Role"), ("until", "expires_at", "Ends at")];
const ROLES: [(&str, &str); 3] = [
    ("viewer", "Viewer: sees everything here and changes nothing"),
    ("admin", "Admin: configures, replays and gives tokens"),
    ("producer", "Producer: sends audit events and nothing else"),
];
/// The menu's entries: what a form sends, what people read, how many days.
const LIVES: [(&str, &str, u64); 4] = [
    ("30d", "In 30 days", 30),
    ("90d", "In 90 days", 90),
    ("365d", "In one year", 365),
    ("never", "Never", 0),
];
const CUSTOM: &str = "custom";
/// A token that ends sooner is pointed out.
const SOON: Duration = Duration::from_hours(7 * 24);

#[derive(Template)]
#[template(path = "access.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    pager: Pager,
    may_change: bool,
}

struct Row {
    id: String,
    name: String,
    role: &'static str,
    prefix: String,
    expires: Option<Moment>,
    state: Badge,
    used: Option<Moment>,
    own: bool,
}

impl Row {
    fn of(visit: &Visit, token: &Token, used: Option<Timestamp>) -> Self {
        let now = visit.api().now();
        Self {
            id: token.id.to_string(),
            name: token.name.clone(),
            role: token.role.name(),
            prefix: token.prefix.clone(),
            expires: token.expires_at.map(|at| Moment::new(at, now)),
            state: state(token.expires_at, now),
            used: used.map(|at| Moment::new(at, now)),
            own: visit.token() == Some(token.id),
        }
    }
}

fn state(expires_at: Option<Timestamp>, now: Timestamp) -> Badge {
    match expires_at {
        Some(end) if end <= now => Badge { word: "Expired", tone: "bad" },
        Some(end) if end < now + SOON => Badge { word: "Ends soon", tone: "warn" },
        Some(_) | None => Badge { word: "Valid", tone: "good" },
    }
}

pub(super) async fn list(visit: Visit, uri: Uri) -> Answer {
    visit.signed.own(Ask::ReadTokens)?;
    let mut all: Vec<_> = visit.config.tokens.values().collect();
    all.sort_by_cached_key(|token| token.name.to_lowercase());
    let (pager, shown) = Pager::cut(uri.query(), ROWS, &all);
    let ids: Vec<TokenId> = shown.iter().map(|token| token.id).collect();
    let uses = visit.api().streams.last_uses(visit.org, &ids).await;
    let uses = uses.map_err(|error| problems::unread(&error))?;
    let rows = shown.iter().map(|token| Row::of(&visit, token, uses.get(&token.id).copied()));
    let rows = rows.collect();
    let may_change = permits(visit.signed.caller, Ask::ChangeTokens);
    let frame = visit.frame("Access", Section::Access)?;
    Ok(page::ok(&List { frame, rows, pager, may_change }))
}

#[derive(Template)]
#[template(path = "token_new.html")]
struct Draft {
    frame: Frame,
    roles: [(&'static str, &'static str); 3],
    lives: [(&'static str, &'static str, u64); 4],
    name: String,
    role: String,
    life: String,
    until: String,
    errors: Errors,
}

impl Draft {
    fn new(visit: &Visit) -> Result<Self, Problem> {
        let until = visit.api().now() + Duration::from_hours(90 * 24);
        Ok(Self {
            frame: visit.frame("New token", Section::Access)?,
            roles: ROLES,
            lives: LIVES,
            name: String::new(),
            role: "viewer".to_owned(),
            life: "90d".to_owned(),
            until: moment::field(until),
            errors: Errors::default(),
        })
    }
}

pub(super) async fn new(visit: Visit) -> Answer {
    visit.signed.own(Ask::ChangeTokens)?;
    Ok(page::ok(&Draft::new(&visit)?))
}

/// The token's text is in this one answer and nowhere else.
#[derive(Template)]
#[template(path = "token_issued.html")]
struct Issued<'a> {
    frame: Frame,
    name: &'a str,
    role: &'a str,
    text: &'a str,
}

pub(super) async fn create(visit: Visit, form: Form) -> Answer {
    visit.signed.own(Ask::ChangeTokens)?;
    let refused = match body(&form, visit.api().now()) {
        None => {
            let wrong = Errors::one("life", "Ends must be one of the choices.");
            (StatusCode::BAD_REQUEST, wrong)
        }
        Some(body) => match make(&visit.signed, visit.org, &body).await {
            Ok((view, text)) => {
                let frame = visit.frame("New token", Section::Access)?;
                let (name, role, text) = (&*view.name, view.role, text.expose());
                return Ok(page::ok(&Issued { frame, name, role, text }));
            }
            Err(problem) => Errors::from(problem, FIELDS)?,
        },
    };
    let (status, errors) = refused;
    let typed = |name: &str| form.text(name).to_owned();
    let [name, role, life, until] = ["name", "role", "life", "until"].map(typed);
    Ok(form::refused(status, &Draft { name, role, life, until, errors, ..Draft::new(&visit)? }))
}

/// What a client of the JSON API would send. The menu sends a duration, so that the browser's
/// clock does not matter.
fn body(form: &Form, now: Timestamp) -> Option<Vec<u8>> {
    let life = form.text("life");
    let end = if life == CUSTOM {
        Some(moment::from_field(form.text("until")))
    } else {
        let (_, _, days) = LIVES.iter().find(|(key, ..)| *key == life)?;
        (*days > 0).then(|| (now + Duration::from_hours(days * 24)).to_string())
    };
    let body = json!({"name": form.text("name"), "role": form.text("role"), "expires_at": end});
    Some(body.to_string().into_bytes())
}

#[derive(Template)]
#[template(path = "token_revoke.html")]
struct Revocation {
    frame: Frame,
    token: Row,
}

pub(super) async fn ask_revoke(visit: Visit, Path(id): Path<String>) -> Answer {
    visit.signed.own(Ask::ChangeTokens)?;
    let token = find(&visit, &id)?;
    let frame = visit.frame("Revoke token", Section::Access)?;
    Ok(page::ok(&Revocation { frame, token: Row::of(&visit, &token, None) }))
}

fn find(visit: &Visit, id: &str) -> Result<Token, Problem> {
    let id: TokenId = id.parse().map_err(|_| Problem::not_found())?;
    visit.config.tokens.get(&id).cloned().ok_or_else(Problem::not_found)
}

pub(super) async fn revoke(visit: Visit, Path(id): Path<String>, _form: Form) -> Answer {
    visit.signed.own(Ask::ChangeTokens)?;
    let token = find(&visit, &id)?;
    end(&visit.signed, visit.org, token.id).await?;
    Ok(page::see("/console/access?done=revoked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_end_soon_are_pointed_out() {
        let now = Timestamp::from_nanos(1_800_000_000_000_000_000);
        let word = |end: Option<Timestamp>| state(end, now).word;
        assert_eq!(word(None), "Valid");
        assert_eq!(word(Some(now + SOON)), "Valid");
        assert_eq!(word(Some(now + SOON / 2)), "Ends soon");
        assert_eq!(word(Some(now)), "Expired");
    }
}
