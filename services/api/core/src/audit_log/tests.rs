use std::time::Duration;

use auditrelay_model::event::{
    Access, AuditEvent, Authentication, AuthenticationOutcome, AuthenticationType, Authorization,
    Detail,
};
use auditrelay_model::id::{EventId, OrgId, PortalId};
use auditrelay_model::reach::Reach;
use auditrelay_model::record::Position;
use auditrelay_model::{Scope, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::fault::Fault;
use crate::page::CursorKey;

mod gathering;
mod queries;

const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

fn org(number: u128) -> Scope {
    Scope::Organization(OrgId::from_uuid(Uuid::from_u128(number)))
}

fn key() -> CursorKey {
    CursorKey::derive(b"k")
}

fn parse(raw: &str) -> Result<Wish, Vec<Fault>> {
    Wish::parse(Some(raw), org(1), NOW, &key())
}

fn event(ts: Timestamp, detail: Detail) -> AuditEvent {
    AuditEvent {
        id: EventId::from_uuid(Uuid::from_u128(1)),
        ts,
        principal_id: "user".to_owned(),
        principal_name: "never shown".to_owned(),
        actor_id: String::new(),
        client_ip: Some("192.0.2.1".parse().unwrap()),
        uri: "/x".to_owned(),
        user_agent: "curl".to_owned(),
        trace_id: String::new(),
        platform_initiated: true,
        traceparent: String::new(),
        detail,
    }
}

fn access() -> Detail {
    Detail::Access(Access { method: "GET".to_owned(), status_code: 200, query: String::new() })
}

/// Records of ten events, one stored every minute until now; numbers and sequences from 1.
fn log(records: u64) -> Vec<(Peek, Vec<AuditEvent>)> {
    let made = (0..records).map(|index| {
        let stored_at = NOW - Duration::from_mins(records - index);
        let events: Vec<_> = (0..10)
            .map(|second| event(stored_at - Duration::from_secs(10 - second), access()))
            .collect();
        let (first_number, last_number) = (index * 10 + 1, index * 10 + 10);
        let (ts_min, ts_max) = (events[0].ts, events[9].ts);
        let sequence = index * 3 + 1;
        let peek = Peek {
            sequence,
            stored_at,
            epoch: 1,
            first_number,
            last_number,
            ts_min,
            ts_max,
            may_hold: true,
            bytes: 500,
        };
        (peek, events)
    });
    made.collect()
}

fn forward(wish: &Wish, log: &[(Peek, Vec<AuditEvent>)]) -> Result<Page, Look> {
    let mut gather = Forward::new(wish.clone(), Reach::default());
    let from = match wish.at {
        At::After(at) => at.sequence,
        At::Start | At::Before(_) => 0,
    };
    for (peek, events) in log.iter().filter(|(peek, _)| peek.sequence >= from) {
        match gather.look(peek) {
            Look::Skip => {}
            Look::Decode => gather.take(peek, events.clone()),
            Look::Done => break,
            Look::Expired => return Err(Look::Expired),
        }
    }
    Ok(gather.finish())
}

fn backward(wish: &Wish, log: &[(Peek, Vec<AuditEvent>)]) -> Result<Page, Look> {
    let At::Before(before) = wish.at else { panic!("not before") };
    let mut gather = Backward::new(wish.clone(), before, Reach::default());
    for (peek, events) in log.iter().rev().filter(|(peek, _)| peek.sequence <= before.sequence) {
        match gather.look(peek) {
            Look::Skip => {}
            Look::Decode => gather.take(peek, events.clone()),
            Look::Done => break,
            Look::Expired => return Err(Look::Expired),
        }
    }
    Ok(gather.finish())
}

fn with(wish: &Wish, at: At) -> Wish {
    let mut wish = wish.clone();
    wish.at = at;
    wish
}

#[test]
fn pages_meet_without_overlap_in_both_directions() {
    let log = log(12);
    let wish = parse("page[size]=7").unwrap();
    let (mut at, mut pages) = (At::Start, Vec::new());
    loop {
        let page = forward(&with(&wish, at), &log).unwrap();
        let next = page.next;
        pages.push(page);
        let Some(next) = next else { break };
        at = At::After(next);
    }
    let times: Vec<_> = pages.iter().flat_map(|page| page.events.iter().map(|e| e.ts)).collect();
    let all: Vec<_> = log.iter().flat_map(|(_, events)| events.iter().map(|e| e.ts)).collect();
    assert_eq!(times, all);
    assert_eq!((pages.len(), pages[0].previous), (18, None));
    let mut at = pages.last().unwrap().previous.unwrap();
    for page in pages[..17].iter().rev() {
        let back = backward(&with(&wish, At::Before(at)), &log).unwrap();
        assert_eq!(back.events, page.events);
        assert_eq!(back.next, page.next);
        let Some(previous) = back.previous else { break };
        at = previous;
    }
}

#[test]
fn a_full_last_page_has_no_next_and_new_events_come_behind_it() {
    let log = log(3);
    let wish = parse("page[size]=20").unwrap();
    let first = forward(&wish, &log[..2]).unwrap();
    assert_eq!((first.events.len(), first.next), (20, None));
    let after = with(&wish, At::After(log[1].0.at(20)));
    let empty = forward(&after, &log[..2]).unwrap();
    assert_eq!((empty.events.len(), empty.next), (0, None));
    assert_eq!(empty.previous.unwrap().number, 21);
    assert_eq!(forward(&after, &log).unwrap().events.len(), 10);
    let back = with(&wish, At::Before(empty.previous.unwrap()));
    assert_eq!(backward(&back, &log[..2]).unwrap().events.len(), 20);
}

#[test]
fn a_cursor_whose_neighbours_are_gone_has_expired() {
    let log = log(5);
    let wish = parse("").unwrap();
    let after = |number| with(&wish, At::After(Position { epoch: 1, number, sequence: 1 }));
    assert_eq!(forward(&after(10), &log[1..]).unwrap().events.len(), 20, "the next is there");
    assert_eq!(forward(&after(9), &log[1..]), Err(Look::Expired));
    let reborn = Position { epoch: 0, number: 10, sequence: 1 };
    assert_eq!(forward(&with(&wish, At::After(reborn)), &log), Err(Look::Expired));
    let before = with(&wish, At::Before(Position { epoch: 1, number: 15, sequence: 4 }));
    assert_eq!(backward(&before, &log[1..]).unwrap().events.len(), 4);
    assert_eq!(backward(&before, &log[..1]), Err(Look::Expired));
}

#[test]
fn only_records_that_may_matter_are_decoded() {
    let log = log(10);
    let start = log[4].1[3].ts;
    let raw = format!("filter[ts][gte]={start}&filter[ts][lte]={start}");
    let wish = parse(&raw).unwrap();
    let mut gather = Forward::new(wish.clone(), Reach::default());
    let looks: Vec<_> = log.iter().map(|(peek, _)| gather.look(peek)).collect();
    assert_eq!(looks.iter().filter(|look| **look == Look::Decode).count(), 1);
    assert_eq!(forward(&wish, &log).unwrap().events, [log[4].1[3].clone()]);
    let kind = parse("filter[type]=authentication").unwrap();
    let other = Peek { may_hold: false, ..log[0].0 };
    assert_eq!(Forward::new(kind, Reach::default()).look(&other), Look::Skip);
}

#[test]
fn a_request_that_finds_nothing_ends_with_a_cursor_to_go_on() {
    let log = log(2);
    let wish = parse("filter[type]=authentication").unwrap();
    let mut gather = Forward::new(wish.clone(), Reach::default());
    let mut looked = 0;
    for index in 0..1_000_000 {
        let shifted = Peek {
            sequence: index + 1,
            first_number: index * 10 + 1,
            last_number: index * 10 + 10,
            ..log[0].0
        };
        match gather.look(&shifted) {
            Look::Decode => gather.take(&shifted, log[0].1.clone()),
            Look::Done => break,
            look @ (Look::Skip | Look::Expired) => panic!("{look:?}"),
        }
        looked = shifted.last_number;
    }
    let page = gather.finish();
    assert!(page.events.is_empty() && looked < 200_000);
    assert_eq!(page.next.unwrap().number, looked);
}

#[test]
fn large_records_are_an_effort_and_a_page_may_end_at_any_time() {
    let log = log(2);
    let wish = parse("filter[type]=authentication").unwrap();
    let large = Peek { bytes: 200 * 1024 * 1024, may_hold: false, ..log[0].0 };
    let mut gather = Forward::new(wish.clone(), Reach::default());
    assert_eq!(gather.look(&large), Look::Skip);
    assert_eq!(gather.look(&log[1].0), Look::Done);
    assert_eq!(gather.finish().next, Some(large.at(10)));
    let mut gather = Forward::new(wish.clone(), Reach::default());
    assert_eq!(gather.look(&log[0].0), Look::Decode);
    gather.take(&log[0].0, log[0].1.clone());
    gather.rest();
    assert_eq!(gather.finish().next, Some(log[0].0.at(10)));
    let before = log[1].0.at(20);
    let mut gather = Backward::new(wish, before, Reach::default());
    assert_eq!(gather.look(&log[1].0), Look::Decode);
    gather.take(&log[1].0, log[1].1.clone());
    gather.rest();
    assert_eq!(gather.finish().previous, Some(log[1].0.at(11)));
}

#[test]
fn items_read_as_the_contract_says_and_are_signed_without_their_signature() {
    let org_id = Uuid::from_u128(1).to_string();
    let ts = "2027-01-15T08:00:00Z";
    let sign = |text: &[u8]| format!("{}!", String::from_utf8_lossy(text).len());
    let shown = |scope, detail| {
        serde_json::to_value(item::signed(scope, &event(NOW, detail), sign)).unwrap()
    };
    let access = shown(org(1), access());
    let length = serde_json::to_string(&{
        let mut bare = access.clone();
        bare.as_object_mut().unwrap().remove("signature");
        bare
    });
    assert_eq!(
        access,
        json!({"type": "gateway_access", "ts": ts, "org_id": org_id, "principal_id": "user",
            "actor_id": "", "client_ip": "192.0.2.1", "trace_id": "", "user_agent": "curl",
            "method": "GET", "uri": "/x", "query": "", "status_code": 200,
            "signature": format!("{}!", length.unwrap().len())})
    );
    let authorization = Detail::Authorization(Authorization {
        service: "konnect".to_owned(),
        resource: "krn:x".to_owned(),
        action: "list".to_owned(),
        granted: false,
    });
    let authorization = shown(org(1), authorization);
    let keys: Vec<&str> = authorization.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "action",
            "client_ip",
            "granted",
            "org_id",
            "principal_id",
            "resource",
            "service",
            "signature",
            "ts",
            "type",
            "uri",
            "user_agent"
        ]
    );
    let portal = PortalId::from_uuid(Uuid::from_u128(7));
    let login = Detail::Authentication(Authentication {
        method: AuthenticationType::Sso,
        outcome: AuthenticationOutcome::InvalidPassword,
        success: false,
    });
    let login = shown(Scope::Portal(org(1).org(), portal), login);
    assert_eq!(login["portal_id"], portal.to_string());
    assert_eq!(
        (&login["outcome"], &login["authentication_type"], &login["successful"]),
        (&json!("invalid_password"), &json!("sso"), &json!(false))
    );
    assert_eq!(login["trace_id"], "");
    matches_its_description(&access, "GatewayAccessLog");
    matches_its_description(&authorization, "AuthorizationLog");
    matches_its_description(&login, "AuthenticationLog");
}

fn matches_its_description(item: &serde_json::Value, schema: &str) {
    let document = crate::openapi::document();
    let schema = &document["components"]["schemas"][schema];
    for name in item.as_object().unwrap().keys() {
        assert!(schema["properties"].get(name).is_some(), "{name} is not described");
    }
    for name in schema["required"].as_array().unwrap() {
        assert!(item.get(name.as_str().unwrap()).is_some(), "{name} is missing");
    }
}
