use auditrelay_model::Window;
use auditrelay_model::id::{CommandId, JobId, PortalId, TokenId};
use auditrelay_model::replay::{Failure, Terms};
use uuid::Uuid;

use super::*;

const ORG: OrgId = OrgId::from_uuid(Uuid::from_u128(1));

fn place(sequence: u64) -> Place<'static> {
    Place { org: ORG, stream: "CONFIG", sequence }
}

fn origin(method: &str) -> Origin {
    Origin {
        principal_name: "ci".to_owned(),
        client_ip: Some("192.0.2.1".parse().unwrap()),
        user_agent: "terraform".to_owned(),
        method: method.to_owned(),
        uri: "/v3/audit-log-webhook".to_owned(),
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
    }
}

fn change(method: &str, summary: &str) -> ConfigEvent {
    ConfigEvent {
        at: Timestamp::from_nanos(5),
        actor: "token".to_owned(),
        command: CommandId::from_uuid(Uuid::nil()),
        changes: Vec::new(),
        origin: Some(origin(method)),
        summary: summary.to_owned(),
    }
}

fn access(event: &AuditEvent) -> &Access {
    match &event.detail {
        Detail::Access(access) => access,
        Detail::Authentication(_) | Detail::Authorization(_) => panic!("{event:?}"),
    }
}

#[test]
fn a_change_says_who_what_and_from_where() {
    let event = of_config(place(7), &change("PATCH", r#"{"changes":[]}"#));
    assert_eq!((event.principal_id.as_str(), event.principal_name.as_str()), ("token", "ci"));
    assert_eq!(event.client_ip, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(event.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((event.ts, event.platform_initiated), (Timestamp::from_nanos(5), false));
    let detail = access(&event);
    assert_eq!((detail.method.as_str(), detail.status_code), ("PATCH", 200));
    assert_eq!(detail.query, r#"{"changes":[]}"#);
    for (method, status) in [("POST", 201), ("DELETE", 204), ("PUT", 200)] {
        let event = of_config(place(7), &change(method, ""));
        assert_eq!(access(&event).status_code, status);
    }
    let page = Origin { uri: "/console/destinations".to_owned(), ..origin("POST") };
    let event = of_config(place(7), &ConfigEvent { origin: Some(page), ..change("POST", "") });
    assert_eq!(access(&event).status_code, 303);
}

#[test]
fn a_fact_always_becomes_the_same_event_and_no_other_fact_does() {
    let id = |place, at| {
        let fact = ConfigEvent { at: Timestamp::from_nanos(at), ..change("PATCH", "") };
        of_config(place, &fact).id
    };
    assert_eq!(id(place(7), 5), id(place(7), 5));
    let other = Place { org: OrgId::from_uuid(Uuid::from_u128(2)), ..place(7) };
    let stream = Place { stream: "REPLAY", ..place(7) };
    for (place, at) in [(place(8), 5), (other, 5), (stream, 5), (place(7), 6)] {
        assert_ne!(id(place, at), id(self::place(7), 5));
    }
}

#[test]
fn a_job_is_told_when_it_begins_and_when_it_ends() {
    let fact = |fact, origin| ReplayEvent {
        at: Timestamp::from_nanos(5),
        scope: Scope::Organization(ORG),
        job: JobId::from_uuid(Uuid::from_u128(3)),
        actor: "scheduler-0".to_owned(),
        origin,
        fact,
    };
    let window = Window::stored(Timestamp::from_nanos(0), Timestamp::from_nanos(1_000_000_000));
    let accepted = ReplayFact::Accepted {
        window,
        snapshot_sequence: 1,
        terms: Terms::default(),
        waits: false,
    };
    let event = of_replay(place(1), &fact(accepted, Some(origin("PUT")))).unwrap();
    assert_eq!((access(&event).method.as_str(), access(&event).status_code), ("PUT", 202));
    assert!(access(&event).query.contains(r#""start_at":"1970-01-01T00:00:00Z""#));
    let progress = Progress { events_sent: 9, ..Progress::default() };
    let failure = Failure { code: "receiver".to_owned(), reason: "it refuses".to_owned() };
    let failed = ReplayFact::Failed { failure, progress };
    let failed = fact(failed, None);
    let event = of_replay(place(2), &failed).unwrap();
    assert!(event.platform_initiated);
    assert_eq!(event.uri, "/v3/audit-log-replay-job");
    let portal = PortalId::from_uuid(Uuid::from_u128(4));
    let of_portal = ReplayEvent { scope: Scope::Portal(ORG, portal), ..failed };
    let uri = of_replay(place(2), &of_portal).unwrap().uri;
    assert_eq!(uri, format!("/v3/portals/{portal}/audit-log-replay-job"));
    assert_eq!((access(&event).method.as_str(), access(&event).status_code), ("END", 500));
    let told: Value = serde_json::from_str(&access(&event).query).unwrap();
    assert_eq!((&told["code"], &told["events_sent"]), (&json!("receiver"), &json!(9)));
    assert_eq!(of_replay(place(3), &fact(ReplayFact::Advanced(progress), None)), None);
}

#[test]
fn denied_calls_say_why_and_how_many() {
    let fact = |reason, count| AccessEvent {
        at: Timestamp::from_nanos(5),
        org: ORG,
        principal: Principal::Token(TokenId::from_uuid(Uuid::from_u128(4))),
        fact: AccessFact::Denied(Denied { reason, count, origin: origin("DELETE") }),
    };
    let event = of_access(place(1), &fact(Reason::Forbidden, 1)).unwrap();
    assert_eq!(access(&event).query, r#"{"denied":"forbidden"}"#);
    assert_eq!(access(&event).status_code, 403);
    assert_eq!(event.principal_id, Uuid::from_u128(4).to_string());
    let event = of_access(place(1), &fact(Reason::WrongSecret, 3)).unwrap();
    assert_eq!(access(&event).query, r#"{"count":3,"denied":"wrong_secret"}"#);
    assert_eq!((access(&event).status_code, event.principal_id.as_str()), (401, ""));
    let used = AccessEvent { fact: AccessFact::Used, ..fact(Reason::Forbidden, 1) };
    assert_eq!(of_access(place(1), &used), None);
}

#[test]
fn what_comes_very_late_lies_where_windows_look_for_it() {
    let now = Timestamp::from_nanos(0) + Duration::from_hours(48);
    let day = Duration::from_hours(24);
    let old = in_reach(of_config(place(1), &change("PATCH", "")), now, day);
    assert_eq!(old.ts, now - day);
    let recent = ConfigEvent { at: now, ..change("PATCH", "") };
    assert_eq!(in_reach(of_config(place(1), &recent), now, day).ts, now);
}
