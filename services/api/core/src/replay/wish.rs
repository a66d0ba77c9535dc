//! A request for a job on our own wire.

use auditrelay_model::config::OrgConfig;
use auditrelay_model::destination::LogFormat;
use auditrelay_model::event::EventKind;
use auditrelay_model::id::PortalId;
use auditrelay_model::replay::{Target, Terms};
use auditrelay_model::{Scope, Timestamp, Window};
use serde_json::Value;

use super::{check_webhook, window};
use crate::body::{Given, Reader, Unknown};
use crate::command::Denial;
use crate::fault::{Fault, Wrong};

const KINDS: &[&str] = &["authentication", "authorization", "gateway_access"];
const FORMATS: &[&str] = &["cef", "json", "cps"];

/// What a job is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobWish {
    /// Whose log; none for the organization's own.
    pub portal: Option<PortalId>,
    /// What to send again.
    pub window: Window,
    /// What else is asked for.
    pub terms: Terms,
}

impl JobWish {
    /// Reads the body.
    pub fn parse(body: &[u8], now: Timestamp) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::parse(body)?;
        let portal = id(&mut reader, "portal_id");
        let window = window(&mut reader, now);
        let name = reader.nonblank_text("name").value();
        let terms = Terms {
            name: reader.name("name", name),
            kinds: kinds(&mut reader),
            unacknowledged_only: reader.flag("unacknowledged_only").value().unwrap_or(false),
            target: Target {
                destination: id(&mut reader, "destination_id"),
                log_format: reader.choice("log_format", FORMATS, LogFormat::from_name).value(),
            },
            remainder: None,
        };
        reader.finish(Unknown::Refused)?;
        let window = window.ok_or_else(|| vec![Fault::body("body", Wrong::Syntax)])?;
        Ok(Self { portal, window, terms })
    }
}

/// Whether a job may be sent there: to a destination of the organization, or else to the scope's
/// webhook, which must be switched on.
pub fn check_target(config: &OrgConfig, scope: Scope, target: Target) -> Result<(), Denial> {
    match target.destination {
        None => check_webhook(config, scope),
        Some(id) if config.destinations.contains_key(&id) => Ok(()),
        Some(_) => {
            Err(Denial::fault("destination_id", Wrong::Missing("there is no such destination")))
        }
    }
}

fn id<T: std::str::FromStr>(reader: &mut Reader, field: &'static str) -> Option<T> {
    let text = reader.text(field).value()?;
    let id = text.parse().ok();
    if id.is_none() {
        reader.fault(field, Wrong::Invalid("is not a UUID"));
    }
    id
}

/// Each once, in one order, so that the same wish is the same.
fn kinds(reader: &mut Reader) -> Vec<EventKind> {
    let given = match reader.value("kinds") {
        Given::Absent | Given::Null => return Vec::new(),
        Given::Value(given) => given,
    };
    let kind = |value: &Value| value.as_str().and_then(EventKind::from_name);
    let kinds: Option<Vec<_>> = given.as_array().and_then(|kinds| kinds.iter().map(kind).collect());
    let Some(mut kinds) = kinds else {
        let wrong = if given.is_array() { Wrong::Choices(KINDS) } else { Wrong::Type("array") };
        reader.fault("kinds", wrong);
        return Vec::new();
    };
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[cfg(test)]
mod tests {
    use auditrelay_model::destination::SealedSecret;
    use auditrelay_model::id::DestinationId;
    use uuid::Uuid;

    use super::*;
    use crate::address::AddressRules;
    use crate::command::Action;
    use crate::command::fixture::{ORG, Org};
    use crate::destination;
    use crate::webhook::WebhookPatch;

    fn parse(body: &str) -> Result<JobWish, Vec<Fault>> {
        let now = Timestamp::parse_rfc3339("2026-06-15T12:00:00Z").unwrap();
        JobWish::parse(body.as_bytes(), now)
    }

    #[test]
    fn everything_that_is_asked_for_is_read() {
        let wish = parse(
            r#"{"name":"after the outage","start_at":"2026-06-15T02:00:00+02:00",
            "end_at":"2026-06-15T01:00:00Z","kinds":["authorization","gateway_access","authorization"],
            "unacknowledged_only":true,"log_format":"cps",
            "portal_id":"3e551b39-227d-4297-b911-e68fd5d77c17",
            "destination_id":"998db3e4-5cb7-4dd5-b51c-9878096a6999"}"#,
        )
        .unwrap();
        assert_eq!(wish.window.start().to_string(), "2026-06-15T00:00:00Z");
        assert_eq!(wish.terms.kinds, [EventKind::Authorization, EventKind::Access]);
        assert!(wish.terms.unacknowledged_only && wish.portal.is_some());
        assert_eq!(wish.terms.target.log_format, Some(LogFormat::Cps));
        assert!(wish.terms.target.destination.is_some());
    }

    #[test]
    fn nothing_but_a_window_asks_for_what_the_compatible_api_does() {
        let body = r#"{"start_at":"2026-06-15T00:00:00Z","end_at":"2026-06-15T01:00:00Z"}"#;
        let wish = parse(body).unwrap();
        assert_eq!((wish.portal, wish.terms), (None, Terms::default()));
    }

    #[test]
    fn a_job_goes_where_something_listens() {
        let organization = Scope::Organization(ORG);
        let there = DestinationId::from_uuid(Uuid::from_u128(1));
        let to = |destination| Target { destination, log_format: None };
        let mut org = Org::new();
        let refused = |org: &Org, target| match check_target(&org.config, organization, target) {
            Err(Denial::Invalid(faults)) => faults[0].field.clone(),
            other => format!("{other:?}"),
        };
        assert_eq!(refused(&org, to(Some(there))), "destination_id");
        assert_eq!(refused(&org, to(None)), "audit_log_destination_id");
        let body = br#"{"name":"d","endpoint":"https://d.example","authorization":"t"}"#;
        let draft = destination::Draft::parse(body, &AddressRules::default()).unwrap();
        let secret = SealedSecret { key_id: String::new(), nonce: vec![], ciphertext: vec![] };
        org.run(Action::CreateDestination(draft.sealed(there, secret))).unwrap();
        assert_eq!(refused(&org, to(Some(there))), "Ok(())", "bound to nothing, named here");
        for (enabled, answer) in [(false, "webhook.enabled"), (true, "Ok(())")] {
            let bind = WebhookPatch { destination: Given::Value(there), enabled: Some(enabled) };
            org.run(Action::PatchWebhook(organization, bind)).unwrap();
            assert_eq!(refused(&org, to(None)), answer);
        }
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let faults = parse(
            r#"{"start_at":"2026-06-15T02:00:00Z","end_at":"2026-06-15T01:00:00Z","name":" ",
            "kinds":["logins"],"destination_id":"x","portal_id":5,"log_format":"xml","who":1}"#,
        )
        .unwrap_err();
        let mut fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        fields.sort_unstable();
        let all = ["destination_id", "end_at", "kinds", "log_format", "name", "portal_id", "who"];
        assert_eq!(fields, all);
        let kinds = |text: &str| {
            let window = r#""start_at":"2026-06-15T00:00:00Z","end_at":"2026-06-15T01:00:00Z""#;
            parse(&format!(r#"{{{window},"kinds":{text}}}"#)).unwrap_err()
        };
        assert_eq!(kinds("\"access\""), [Fault::body("kinds", Wrong::Type("array"))]);
        assert_eq!(kinds("[5]"), [Fault::body("kinds", Wrong::Choices(KINDS))]);
    }
}
