//! The keys that sign, and checking a delivered line with them.

use askama::Template;
use auditrelay_signing::{Jwks, SigningKey, line};

use super::form::{self, Errors, Form};
use super::moment::Moment;
use super::page::{self, Frame, Section};
use super::visit::{Answer, Visit};
use crate::api::Api;
use auditrelay_runtime::problem::Problem;
use http::StatusCode;

/// Where receivers find the keys.
const JWKS: [&str; 2] = ["/v3/audit-log-webhook/jwks.json", "/v2/audit-log-webhook/jwks.json"];

#[derive(Template)]
#[template(path = "keys.html")]
struct Page {
    frame: Frame,
    keys: Vec<Key>,
    addresses: [&'static str; 2],
    line: String,
    /// What a line's signature turned out to be.
    checked: Option<Checked>,
    errors: Errors,
}

struct Key {
    kid: String,
    current: bool,
    made: Option<Moment>,
    public: String,
}

/// What came of checking a line.
enum Checked {
    /// The key of this name signed it, and nothing was changed since.
    Valid(String),
    /// It has a signature that no key of ours made over this text.
    Wrong,
}

impl Page {
    fn new(visit: &Visit) -> Result<Self, Problem> {
        let api = visit.api();
        let all = all(api).enumerate().map(|(index, key)| Key {
            kid: key.kid().to_owned(),
            current: index == 0,
            made: Moment::parse(Some(key.created_at()), api.now()),
            public: key.jwk().x,
        });
        Ok(Self {
            frame: visit.frame("Signing keys", Section::Keys)?,
            keys: all.collect(),
            addresses: JWKS,
            line: String::new(),
            checked: None,
            errors: Errors::default(),
        })
    }
}

/// The current key first.
pub(super) fn all(api: &Api) -> impl Iterator<Item = &SigningKey> {
    api.config.signing.iter().flat_map(auditrelay_signing::KeySet::keys)
}

/// The name of the key that made a signature.
pub(super) fn signer(api: &Api, text: &[u8], signature: &str) -> Option<String> {
    let mut keys = all(api);
    let made =
        |key: &&SigningKey| Jwks { keys: vec![key.jwk()] }.verifier().verify(text, signature);
    keys.find(made).map(|key| key.kid().to_owned())
}

pub(super) async fn show(visit: Visit) -> Answer {
    Ok(page::ok(&Page::new(&visit)?))
}

pub(super) async fn check(visit: Visit, form: Form) -> Answer {
    let line = form.text("line").trim().to_owned();
    let page = Page::new(&visit)?;
    let Some((text, signature)) = line::split(&line) else {
        let told = if line.is_empty() {
            "Paste a line that was delivered to your SIEM."
        } else {
            "Line carries no signature at its end: sig=… in CEF, \"sig\":\"…\" in JSON and CPS."
        };
        let errors = Errors::one("line", told);
        return Ok(form::refused(StatusCode::BAD_REQUEST, &Page { line, errors, ..page }));
    };
    let signer = signer(visit.api(), text.as_bytes(), signature);
    let checked = Some(signer.map_or(Checked::Wrong, Checked::Valid));
    Ok(page::ok(&Page { checked, line: line.clone(), ..page }))
}
