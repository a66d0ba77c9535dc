//! One event as a row: when, what, who, from where.

use askama::Template;
use askama::filters::HtmlSafe;
use auditrelay_model::event::{AuditEvent, AuthenticationOutcome, Detail};
use auditrelay_model::record::Position;
use auditrelay_model::{Scope, Timestamp};

use super::moment::Moment;
use super::words::Badge;

/// One event as a row.
#[derive(Template)]
#[template(path = "entry.html")]
pub(super) struct Entry {
    href: String,
    at: Moment,
    kind: &'static str,
    verdict: Badge,
    what: String,
    who: String,
    ip: String,
}

impl HtmlSafe for Entry {}

impl Entry {
    pub(super) fn of(scope: Scope, at: Position, event: &AuditEvent, now: Timestamp) -> Self {
        let (verdict, what) = told(event);
        Self {
            href: format!("/console/events/{}/{}/{}", scope.token(), at.sequence, at.number),
            at: Moment::new(event.ts, now),
            kind: kind(&event.detail),
            verdict,
            what,
            who: who(event),
            ip: event.client_ip.map(|ip| ip.to_string()).unwrap_or_default(),
        }
    }
}

pub(super) const fn kind(detail: &Detail) -> &'static str {
    match detail {
        Detail::Authentication(_) => "Authentication",
        Detail::Authorization(_) => "Authorization",
        Detail::Access(_) => "Gateway access",
    }
}

/// How it ended, and what it was.
pub(super) fn told(event: &AuditEvent) -> (Badge, String) {
    match &event.detail {
        Detail::Authentication(detail) => {
            let good = matches!(detail.outcome, AuthenticationOutcome::Success) && detail.success;
            let outcome = detail.outcome.name().replace('_', " ");
            let what = format!("Login with {}: {outcome}", detail.method.name());
            (verdict(good, "Success", "Failure"), what)
        }
        Detail::Authorization(detail) => {
            let what = format!("{} {} on {}", detail.service, detail.action, detail.resource);
            (verdict(detail.granted, "Granted", "Denied"), what)
        }
        Detail::Access(detail) => {
            let what = format!("{} {} {}", detail.status_code, detail.method, event.uri);
            (verdict(detail.status_code < 400, "Answered", "Refused"), what)
        }
    }
}

const fn verdict(good: bool, yes: &'static str, no: &'static str) -> Badge {
    if good { Badge { word: yes, tone: "good" } } else { Badge { word: no, tone: "bad" } }
}

fn who(event: &AuditEvent) -> String {
    let names = [&event.principal_name, &event.principal_id, &event.actor_id];
    names.into_iter().find(|name| !name.is_empty()).cloned().unwrap_or_default()
}
