use auditrelay_model::destination::SealedSecret;
use auditrelay_model::id::PortalId;
use uuid::Uuid;

use super::*;
use crate::address::AddressRules;
use crate::command::Action;
use crate::command::fixture::{ORG, Org};
use crate::{destination, portal};

const ORGANIZATION: Scope = Scope::Organization(ORG);

fn sealed(byte: u8) -> SealedSecret {
    SealedSecret { key_id: "k".to_owned(), nonce: vec![0; 12], ciphertext: vec![byte] }
}

fn id(number: u128) -> DestinationId {
    DestinationId::from_uuid(Uuid::from_u128(number))
}

fn org() -> Org {
    let mut org = Org::new();
    for number in [1, 2] {
        let body = format!(
            r#"{{"name":"d{number}","endpoint":"https://d{number}.example","authorization":"t"}}"#
        );
        let draft = destination::Draft::parse(body.as_bytes(), &AddressRules::default()).unwrap();
        org.run(Action::CreateDestination(draft.sealed(id(number), sealed(1)))).unwrap();
    }
    org
}

fn run(org: &mut Org, scope: Scope, body: &str) -> Result<usize, Denial> {
    let patch = WebhookPatch::parse(body.as_bytes()).map_err(Denial::Invalid)?;
    org.run(Action::PatchWebhook(scope, patch))
}

fn run_inline(org: &mut Org, body: &str) -> Result<usize, Denial> {
    let draft =
        inline::Draft::parse(body.as_bytes(), &AddressRules::default()).map_err(Denial::Invalid)?;
    let authorization = draft.authorization().map(|_| sealed(2));
    let patch = draft.sealed(authorization, sealed(0), false);
    org.run(Action::PatchInlineWebhook(ORGANIZATION, patch))
}

fn shown(org: &Org, scope: Scope) -> (Option<DestinationId>, bool) {
    let view = View::of(org.config.webhooks.get(&scope));
    (view.audit_log_destination_id.map(|id| id.parse().unwrap()), view.enabled)
}

fn inline_view(org: &Org) -> inline::View {
    inline::View::of(&org.config, ORGANIZATION)
}

#[test]
fn a_patch_merges() {
    let mut org = org();
    let bind = format!(r#"{{"audit_log_destination_id":"{}","enabled":true}}"#, id(1));
    assert_eq!(run(&mut org, ORGANIZATION, &bind), Ok(1));
    assert_eq!(run(&mut org, ORGANIZATION, &bind), Ok(0));
    let other = format!(r#"{{"audit_log_destination_id":"{}"}}"#, id(2));
    assert_eq!(run(&mut org, ORGANIZATION, &other), Ok(1));
    assert_eq!(shown(&org, ORGANIZATION), (Some(id(2)), true), "enabled is kept");
    assert_eq!(run(&mut org, ORGANIZATION, r#"{"enabled":false}"#), Ok(1));
    assert_eq!(shown(&org, ORGANIZATION), (Some(id(2)), false), "the destination is kept");
    assert_eq!(run(&mut org, ORGANIZATION, r#"{"enabled":null}"#), Ok(0));
    let clear = r#"{"audit_log_destination_id":null,"enabled":false}"#;
    assert_eq!(run(&mut org, ORGANIZATION, clear), Ok(1));
    assert_eq!(shown(&org, ORGANIZATION), (None, false));
    assert_eq!(org.run(Action::RemoveWebhook(ORGANIZATION)), Ok(1));
    assert_eq!(org.run(Action::RemoveWebhook(ORGANIZATION)), Err(Denial::NotFound));
}

#[test]
fn taking_the_destination_away_switches_off() {
    let mut org = org();
    let bind = format!(r#"{{"audit_log_destination_id":"{}","enabled":true}}"#, id(1));
    run(&mut org, ORGANIZATION, &bind).unwrap();
    assert_eq!(run(&mut org, ORGANIZATION, r#"{"audit_log_destination_id":null}"#), Ok(1));
    assert_eq!(shown(&org, ORGANIZATION), (None, false));
}

#[test]
fn bad_patches_have_their_answers() {
    let mut org = org();
    let required = Denial::fault(DESTINATION, Wrong::Required);
    assert_eq!(run(&mut org, ORGANIZATION, r#"{"enabled":true}"#), Err(required.clone()));
    let null = r#"{"enabled":true,"audit_log_destination_id":null}"#;
    assert_eq!(run(&mut org, ORGANIZATION, null), Err(required));
    let not_an_id = Denial::fault(DESTINATION, Wrong::DestinationId);
    for text in ["x", ""] {
        let body = format!(r#"{{"audit_log_destination_id":"{text}"}}"#);
        assert_eq!(run(&mut org, ORGANIZATION, &body), Err(not_an_id.clone()));
    }
    let unknown = format!(r#"{{"audit_log_destination_id":"{}"}}"#, id(9));
    assert_eq!(run(&mut org, ORGANIZATION, &unknown), Err(Denial::NotFound));
    let types = r#"{"audit_log_destination_id":5,"enabled":"yes"}"#;
    let faults = vec![
        Fault::body(DESTINATION, Wrong::Type("string")),
        Fault::body("enabled", Wrong::Type("boolean")),
    ];
    assert_eq!(run(&mut org, ORGANIZATION, types), Err(Denial::Invalid(faults)));
    for nothing in ["{}", r#"{"enabled":false}"#, r#"{"audit_log_destination_id":null}"#] {
        assert_eq!(run(&mut org, ORGANIZATION, nothing), Ok(0), "{nothing}");
    }
}

#[test]
fn a_portal_has_a_webhook_of_its_own_that_goes_with_it() {
    let mut org = org();
    let portal = PortalId::from_uuid(Uuid::from_u128(7));
    let scope = Scope::Portal(ORG, portal);
    let bind = format!(r#"{{"audit_log_destination_id":"{}","enabled":true}}"#, id(1));
    assert_eq!(run(&mut org, scope, &bind), Err(Denial::NotFound));
    let draft = portal::Draft::parse(br#"{"name":"p"}"#).unwrap();
    org.run(Action::CreatePortal(draft.portal(portal))).unwrap();
    assert_eq!(run(&mut org, scope, &bind), Ok(1));
    assert_eq!(shown(&org, scope), (Some(id(1)), true));
    assert_eq!(shown(&org, ORGANIZATION), (None, false));
    let in_use = Err(Denial::Conflict("Destination is in use by a webhook"));
    assert_eq!(org.run(Action::DeleteDestination(id(1))), in_use);
    assert_eq!(org.run(Action::DeletePortal(portal)), Ok(1));
    assert_eq!(org.run(Action::DeleteDestination(id(1))), Ok(1));
}

#[test]
fn the_inline_destination_stays_while_any_webhook_needs_it() {
    let mut org = org();
    let portals = [7, 8].map(|number| PortalId::from_uuid(Uuid::from_u128(number)));
    for (portal, name) in portals.into_iter().zip(["p", "q"]) {
        let draft = portal::Draft::parse(format!(r#"{{"name":"{name}"}}"#).as_bytes()).unwrap();
        org.run(Action::CreatePortal(draft.portal(portal))).unwrap();
    }
    let made = r#"{"endpoint":"https://siem.example","authorization":"x","enabled":true}"#;
    assert_eq!(run_inline(&mut org, made), Ok(2));
    assert_eq!(org.run(Action::DeletePortal(portals[1])), Ok(1), "it had no webhook");
    let implicit = inline::implicit_id(ORG);
    let scope = Scope::Portal(ORG, portals[0]);
    let bind = format!(r#"{{"audit_log_destination_id":"{implicit}","enabled":true}}"#);
    assert_eq!(run(&mut org, scope, &bind), Ok(1));
    assert_eq!(org.run(Action::RemoveWebhook(ORGANIZATION)), Ok(1), "the portal still uses it");
    assert!(org.config.destinations.contains_key(&implicit));
    assert_eq!(org.run(Action::DeletePortal(portals[0])), Ok(2), "nobody uses it any more");
    assert!(!org.config.destinations.contains_key(&implicit));
}

#[test]
fn the_inline_webhook_begins_unconfigured_and_ends_so() {
    let mut org = org();
    let begin = inline_view(&org);
    let body = serde_json::to_value(&begin).unwrap();
    let expected = serde_json::json!({"endpoint": "unconfigured", "enabled": false,
        "log_format": "cef", "skip_ssl_verification": false, "updated_at": "0001-01-01T00:00:00Z"});
    assert_eq!(body, expected);
    // What Terraform sends for a new one.
    let create = r#"{"authorization":null,"enabled":true,"endpoint":"https://siem.example",
        "log_format":"json","skip_ssl_verification":true}"#;
    assert_eq!(run_inline(&mut org, create), Ok(2));
    assert_eq!(run_inline(&mut org, create), Ok(0));
    let view = inline_view(&org);
    assert_eq!((view.endpoint.as_str(), view.enabled), ("https://siem.example", true));
    assert_eq!((view.log_format, view.skip_ssl_verification), ("json", true));
    let implicit = inline::implicit_id(ORG);
    assert_eq!(view.audit_log_destination_id, Some(implicit.to_string()));
    assert!(org.config.destinations[&implicit].implicit);
    assert_eq!(org.config.destinations[&implicit].authorization, sealed(0));
    assert_eq!(run_inline(&mut org, r#"{"authorization":"new"}"#), Ok(1));
    assert_eq!(org.config.destinations[&implicit].authorization, sealed(2));
    assert_eq!(run_inline(&mut org, r#"{"enabled":false}"#), Ok(1));
    let view = inline_view(&org);
    assert_eq!((&*view.endpoint, view.enabled), ("https://siem.example", false), "kept");
    assert_eq!(org.run(Action::RemoveWebhook(ORGANIZATION)), Ok(2));
    assert_eq!(inline_view(&org), begin);
    assert!(!org.config.destinations.contains_key(&implicit));
}

#[test]
fn both_versions_show_one_webhook() {
    let mut org = org();
    let bind = format!(r#"{{"audit_log_destination_id":"{}","enabled":true}}"#, id(1));
    run(&mut org, ORGANIZATION, &bind).unwrap();
    assert_eq!(inline_view(&org).endpoint, "https://d1.example");
    assert_eq!(inline_view(&org).audit_log_destination_id, Some(id(1).to_string()));
    let same = r#"{"endpoint":"https://d1.example","enabled":false,"log_format":"cef"}"#;
    assert_eq!(run_inline(&mut org, same), Ok(1), "only the switch");
    assert_eq!(shown(&org, ORGANIZATION), (Some(id(1)), false));
    let other = r#"{"endpoint":"https://other.example"}"#;
    let needed = Denial::fault("authorization", Wrong::Required);
    assert_eq!(run_inline(&mut org, other), Err(needed));
    let other = r#"{"endpoint":"https://other.example","authorization":"x"}"#;
    assert_eq!(run_inline(&mut org, other), Ok(2));
    assert_eq!(org.config.destinations[&id(1)].endpoint, "https://d1.example", "untouched");
    assert_eq!(shown(&org, ORGANIZATION), (Some(inline::implicit_id(ORG)), false));
    assert_eq!(run(&mut org, ORGANIZATION, &bind), Ok(2), "bound again, the inline one goes");
    assert_eq!(org.config.destinations.len(), 2);
}

#[test]
fn the_inline_destination_knows_when_it_was_made_and_changed() {
    let mut org = org();
    let implicit = inline::implicit_id(ORG);
    let times = |org: &Org| {
        let stored = &org.config.destinations[&implicit];
        assert_eq!(stored.name, "org-webhook");
        [stored.created_at, stored.updated_at].map(|at| at.nanos() / 1_000_000_000)
    };
    let bind = format!(r#"{{"audit_log_destination_id":"{}","enabled":true}}"#, id(1));
    run(&mut org, ORGANIZATION, &bind).unwrap();
    let own = r#"{"endpoint":"https://own.example","authorization":"x"}"#;
    assert_eq!(run_inline(&mut org, own), Ok(2));
    let [made, changed] = times(&org);
    assert!(made > 0 && made == changed, "not as old as the one it is like");
    run_inline(&mut org, r#"{"log_format":"json"}"#).unwrap();
    assert_eq!(times(&org), [made, made + 1]);
    // A portal keeps it while the organization binds another and comes back.
    let portal = PortalId::from_uuid(Uuid::from_u128(7));
    let draft = portal::Draft::parse(br#"{"name":"p"}"#).unwrap();
    org.run(Action::CreatePortal(draft.portal(portal))).unwrap();
    let keep = format!(r#"{{"audit_log_destination_id":"{implicit}","enabled":true}}"#);
    run(&mut org, Scope::Portal(ORG, portal), &keep).unwrap();
    run(&mut org, ORGANIZATION, &bind).unwrap();
    run_inline(&mut org, own).unwrap();
    assert_eq!(times(&org), [made, made + 5]);
}

#[test]
fn an_inline_webhook_needs_an_endpoint_before_anything_else() {
    let mut org = org();
    let needed = Err(Denial::fault("endpoint", Wrong::Required));
    for body in [r#"{"enabled":true}"#, r#"{"log_format":"json"}"#, r#"{"authorization":"x"}"#] {
        assert_eq!(run_inline(&mut org, body), needed, "{body}");
    }
    let nulls = r#"{"authorization":null,"enabled":false,"endpoint":null,"log_format":"cef"}"#;
    assert_eq!(run_inline(&mut org, nulls), Ok(0));
}
