//! What a browser sends, and how refusals read beside its fields.

use std::borrow::Cow;
use std::fmt;

use askama::filters::HtmlSafe;
use auditrelay_api_core::query::Query;
use auditrelay_runtime::http::body;
use auditrelay_runtime::problem::Problem;
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::gate::Held;
use super::kept::Kept;
use super::page;
use super::session::Session;
use super::visit::Refusal;
use crate::api::Api;
use crate::http::request::{BODY_BYTES_MAX, BODY_TIMEOUT};

/// The name of the field that every form has.
pub(super) const FORM_TOKEN: &str = "form_token";

/// A form that a page of the same session sent.
pub(super) struct Form {
    pub(super) session: Session,
    fields: Query,
}

impl Form {
    /// A field as it was typed; nothing when it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_default()
    }

    /// What was typed before the sign-in that this form is.
    pub(super) fn kept(&self, api: &Api) -> Option<Kept> {
        Kept::open(api, &self.fields)
    }

    /// Whether a box is ticked.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.fields.get(name).is_some()
    }
}

impl FromRequest<Api> for Form {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        let held = request.extensions().get::<Held>().cloned().unwrap_or_default();
        let path = request.uri().path().to_owned();
        let fields = fields(request).await?;
        let token = fields.get(FORM_TOKEN).unwrap_or_default();
        match held.session {
            Some(session) if session.wrote(api, token) => {
                let kept = Kept::open(api, &fields).and_then(|kept| kept.of(&path));
                Ok(Self { session, fields: kept.unwrap_or(fields) })
            }
            Some(_) | None => {
                api.telemetry.refused("form_token");
                Err(Refusal::Answered(Box::new(page::stale())))
            }
        }
    }
}

/// What a browser typed into a form.
pub(super) async fn fields(request: Request) -> Result<Query, Problem> {
    let kind = request.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    if !kind.is_some_and(|kind| kind.starts_with(b"application/x-www-form-urlencoded")) {
        return Err(Problem::unsupported_media_type());
    }
    let bytes = body(request.into_body(), BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Problem::unreadable_body())?;
    Ok(Query::parse(Some(text)))
}

/// What is wrong with a form, one entry a field.
#[derive(Debug, Default)]
pub(super) struct Errors {
    pub(super) items: Vec<FieldError>,
}

/// What is wrong with one field.
#[derive(Debug)]
pub(super) struct FieldError {
    /// The id of the field; none when it is nothing that the form has.
    pub(super) field: Option<&'static str>,
    /// In words.
    pub(super) text: Cow<'static, str>,
}

/// A form's fields: its own name, the API's, and what people read.
pub(super) type Fields = [(&'static str, &'static str, &'static str)];

impl Errors {
    pub(super) fn one(field: &'static str, text: &'static str) -> Self {
        Self { items: vec![FieldError { field: Some(field), text: text.into() }] }
    }

    /// Something that no field alone is to blame for.
    pub(super) fn whole(text: &'static str) -> Self {
        Self { items: vec![FieldError { field: None, text: text.into() }] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What is wrong with a field.
    pub(super) fn of(&self, field: &str) -> Option<&str> {
        let item = self.items.iter().find(|item| item.field == Some(field))?;
        Some(&item.text)
    }

    /// The attributes that tie a field to its hint and its error.
    pub(super) fn aria(&self, field: &'static str) -> Aria {
        Aria { field, wrong: self.of(field).is_some() }
    }

    /// A refusal of the API in a form's words, with its status. What no form can mend is passed
    /// on as it is.
    pub(super) fn from(problem: Problem, fields: &Fields) -> Result<(StatusCode, Self), Problem> {
        let status = problem.status;
        let mends = [
            StatusCode::BAD_REQUEST,
            StatusCode::CONFLICT,
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        if !mends.contains(&status) {
            return Err(problem);
        }
        let mut items = Vec::new();
        for wrong in &problem.invalid {
            let known = fields.iter().find(|(_, theirs, _)| *theirs == wrong.field);
            items.push(match known {
                Some((field, _, label)) => FieldError {
                    field: Some(field),
                    text: format!("{label} {}.", in_labels(&wrong.reason, fields)).into(),
                },
                None => FieldError { field: None, text: sentence(&wrong.reason).into() },
            });
        }
        if items.is_empty() {
            items.push(FieldError { field: None, text: sentence(&problem.detail).into() });
        }
        Ok((status, Self { items }))
    }
}

/// Another field that a reason ends with is called what people call it.
fn in_labels(reason: &str, fields: &Fields) -> String {
    let named = fields.iter().find_map(|(_, theirs, label)| {
        let before = reason.strip_suffix(theirs)?;
        before.ends_with(" before ").then(|| format!("{before}{label}"))
    });
    named.unwrap_or_else(|| reason.to_owned())
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    let mut sentence: String = first.into_iter().flatten().chain(chars).collect();
    sentence.push('.');
    sentence
}

/// A page with a form that was refused.
pub(super) fn refused(status: StatusCode, page: &impl askama::Template) -> Response {
    page::html(status, page)
}

/// `aria-describedby`, and `aria-invalid` where something is wrong. Made of our own words only.
pub(super) struct Aria {
    field: &'static str,
    wrong: bool,
}

impl HtmlSafe for Aria {}

impl fmt::Display for Aria {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field;
        if self.wrong {
            write!(f, "aria-invalid=\"true\" aria-describedby=\"{field}-error {field}-hint\"")
        } else {
            write!(f, "aria-describedby=\"{field}-hint\"")
        }
    }
}
