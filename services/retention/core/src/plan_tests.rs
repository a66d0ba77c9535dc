use auditrelay_model::stream::{Discard, Storage};

use super::*;
use crate::policy::Choice;

const HOUR: Duration = Duration::from_hours(1);

fn policy() -> Policy {
    Policy::new(Choice { events_max_bytes: Some(1_000), replicas: 1 })
}

/// Every stream as wanted, holding 10 messages of 100 bytes, the oldest an hour old.
fn as_wanted() -> Vec<Observed> {
    let observed = |wanted: &Wanted| Observed {
        spec: wanted.spec.clone(),
        messages: 10,
        bytes: 100,
        oldest_age: Some(HOUR),
    };
    policy().streams().iter().map(observed).collect()
}

/// The plan after the stream was changed.
fn plan_after(stream: &str, change: impl Fn(&mut Observed)) -> Plan {
    let mut observed = as_wanted();
    observed.iter_mut().filter(|observed| observed.spec.name == stream).for_each(change);
    plan(&observed, &policy())
}

fn changes(plan: &Plan) -> Vec<&str> {
    plan.update.iter().flat_map(|update| &update.changes).map(String::as_str).collect()
}

#[test]
fn streams_that_are_as_wanted_are_left_alone() {
    assert!(plan(&as_wanted(), &policy()).is_empty());
}

#[test]
fn a_plan_with_anything_to_do_or_to_refuse_is_not_empty() {
    assert!(!plan(&[], &policy()).is_empty());
    let refused = Refusal { stream: "EVENTS".to_owned(), reason: String::new() };
    assert!(!Plan { refuse: vec![refused], ..plan(&as_wanted(), &policy()) }.is_empty());
}

#[test]
fn missing_streams_are_created() {
    let plan = plan(&[], &policy());
    let names: Vec<_> = plan.create.iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["EVENTS", "CONFIG", "REPLAY", "DELIVERY", "ACCESS", "RETENTION", "LEASES"]);
    assert!(plan.update.is_empty() && plan.refuse.is_empty());
}

#[test]
fn shortened_retention_is_repaired() {
    let plan = plan_after("EVENTS", |events| events.spec.max_age = 24 * HOUR);
    assert_eq!(changes(&plan), ["max_age 86400s → 648000s"]);
    assert!(plan.refuse.is_empty());
}

#[test]
fn everything_that_changes_in_place_is_repaired_at_once() {
    let plan = plan_after("EVENTS", |events| {
        events.spec.discard = Discard::Old;
        events.spec.deny_delete = false;
        events.spec.compressed = true;
        events.spec.allow_direct = false;
        events.spec.max_consumers = -1;
        events.spec.subjects = vec!["audit.events.0.>".to_owned()];
        events.spec.duplicate_window = HOUR;
    });
    assert_eq!(plan.update.len(), 1);
    assert_eq!(plan.update[0].spec, policy().streams()[0].spec);
    assert_eq!(plan.update[0].changes.len(), 7);
}

#[test]
fn a_limit_is_lowered_only_where_that_deletes_nothing() {
    type Change = fn(&mut Observed);
    let lowered: [(&str, &str, Change, Change); 3] = [
        (
            "EVENTS",
            "max_age",
            |o| o.spec.max_age = Duration::ZERO,
            |o| o.oldest_age = Some(999 * HOUR),
        ),
        ("EVENTS", "max_bytes", |o| o.spec.max_bytes = -1, |o| o.bytes = 1_001),
        (
            "REPLAY",
            "max_messages_per_subject",
            |o| o.spec.max_messages_per_subject = -1,
            |o| o.messages = 10_001,
        ),
    ];
    for (stream, setting, drift, deletes) in lowered {
        let harmless = plan_after(stream, drift);
        assert!(harmless.refuse.is_empty() && harmless.update.len() == 1, "{harmless:?}");
        let harmful = plan_after(stream, |observed| {
            drift(observed);
            deletes(observed);
        });
        assert!(harmful.update.is_empty(), "{harmful:?}");
        assert!(harmful.refuse[0].reason.starts_with(setting), "{harmful:?}");
    }
}

#[test]
fn leases_are_worth_nothing_after_a_moment() {
    let plan = plan_after("LEASES", |leases| {
        leases.spec.max_messages_per_subject = -1;
        leases.spec.max_age = Duration::ZERO;
        leases.oldest_age = Some(999 * HOUR);
    });
    assert!(plan.refuse.is_empty());
    assert_eq!(plan.update[0].changes.len(), 2);
}

#[test]
fn what_can_not_change_in_place_is_refused_in_words_and_the_rest_repaired() {
    let plan = plan_after("EVENTS", |events| {
        events.spec.storage = Storage::Memory;
        events.spec.acks_before_write = true;
        events.spec.max_age = HOUR;
    });
    assert_eq!(changes(&plan), ["max_age 3600s → 648000s"]);
    assert_eq!(plan.update[0].spec.storage, Storage::Memory);
    let reasons: Vec<_> = plan.refuse.iter().map(|refusal| refusal.reason.as_str()).collect();
    assert!(reasons[0].starts_with("storage is Memory instead of File"), "{reasons:?}");
    assert!(reasons[1].starts_with("acks_before_write is true"), "{reasons:?}");
}

#[test]
fn permissions_once_given_away_are_refused_not_ignored() {
    let ttl = plan_after("EVENTS", |events| events.spec.allow_message_ttl = true);
    assert!(ttl.refuse[0].reason.starts_with("allow_message_ttl"));
    let denied = plan_after("LEASES", |leases| leases.spec.deny_delete = true);
    assert!(denied.refuse[0].reason.starts_with("deny_delete"));
}

#[test]
fn copies_are_added_and_never_given_up() {
    let three = Policy::new(Choice { events_max_bytes: Some(1_000), replicas: 3 });
    assert_eq!(plan(&as_wanted(), &three).update.len(), 7);
    let more = plan_after("EVENTS", |events| events.spec.replicas = 3);
    assert!(more.update.is_empty());
    assert!(more.refuse[0].reason.starts_with("replicas is 3 instead of 1"));
}
