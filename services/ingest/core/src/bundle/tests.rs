use std::time::Duration;

use auditrelay_model::id::{EventId, OrgId, PortalId};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const NOW: Timestamp = Timestamp::from_nanos(0);

fn scope(number: u128) -> Scope {
    let org = OrgId::from_uuid(Uuid::nil());
    Scope::Portal(org, PortalId::from_uuid(Uuid::from_u128(number)))
}

fn entry(number: u128, supplied_id: bool) -> Entry {
    Entry { event: crate::admit::tests::event(number), bytes: 100, supplied_id }
}

fn entries(numbers: &[u128], supplied_id: bool) -> Vec<Entry> {
    numbers.iter().map(|number| entry(*number, supplied_id)).collect()
}

fn ids(numbers: &[u128]) -> Vec<EventId> {
    numbers.iter().map(|number| EventId::from_uuid(Uuid::from_u128(*number))).collect()
}

fn recent() -> Recent {
    Recent::new(Duration::from_mins(2), 10_000)
}

fn plan(bundle: &mut Bundle, pasts: &[&Recent]) -> Plan {
    let mut last = 0;
    bundle.plan(pasts, &mut || {
        last += 1;
        RecordId::from_uuid(Uuid::from_u128(last))
    })
}

/// The events' numbers in each record of each scope.
fn numbers(plan: &Plan) -> Vec<Vec<Vec<u128>>> {
    let Plan::Store(planned) = plan else { return Vec::new() };
    let of = |events: &Vec<AuditEvent>| events.iter().map(|e| e.id.uuid().as_u128()).collect();
    let records = |one: &Planned| one.records.iter().map(|(_, events)| of(events)).collect();
    planned.iter().map(records).collect()
}

#[test]
fn every_scope_has_records_of_its_own_that_fit() {
    let scopes = vec![(scope(1), entries(&[1, 2, 3], false)), (scope(2), entries(&[4], false))];
    let mut bundle = Bundle::new(None, scopes, 250);
    let (one, two) = (recent(), recent());
    let planned = plan(&mut bundle, &[&one, &two]);
    assert_eq!(numbers(&planned), [vec![vec![1, 2], vec![3]], vec![vec![4]]]);
    assert!(!bundle.is_repeatable());
}

#[test]
fn a_bundle_may_come_again_when_a_producer_named_any_of_it() {
    let bundle = |key: Option<&str>, supplied| {
        let scopes = vec![(scope(1), entries(&[1], false)), (scope(2), entries(&[2], supplied))];
        Bundle::new(key.map(str::to_owned), scopes, 250)
    };
    assert!(bundle(None, true).is_repeatable());
    assert!(bundle(Some("k"), false).is_repeatable());
    assert_eq!((bundle(None, true).key(), bundle(Some("k"), false).key()), (None, Some("k")));
}

#[test]
fn what_is_planned_again_keeps_its_ids_and_leaves_out_what_is_stored() {
    let scopes = vec![(scope(1), entries(&[1, 2, 3], true)), (scope(2), entries(&[4], true))];
    let mut bundle = Bundle::new(None, scopes, 100);
    let (mut one, two) = (recent(), recent());
    let Plan::Store(first) = plan(&mut bundle, &[&one, &two]) else { unreachable!() };
    one.remember(NOW, ids(&[2])[0], Fingerprint::of(&entry(1, true).event));
    let Plan::Store(again) = plan(&mut bundle, &[&one, &two]) else { unreachable!() };
    assert_eq!(numbers(&Plan::Store(vec![])), Vec::<Vec<Vec<u128>>>::new());
    assert_eq!(again[0].records.len(), 2);
    assert_eq!(again[0].records[0].0, first[0].records[0].0);
    assert!(bundle.has(first[1].records[0].0));
    assert!(!bundle.has(RecordId::from_uuid(Uuid::max())));
    let outcome = Outcome::Stored { ids: ids(&[1, 2, 3]), duplicates: 1, conflicts: 1 };
    assert_eq!(again[0].outcome, outcome);
}

#[test]
fn a_repeated_key_stores_nothing_and_one_of_another_request_is_taken() {
    let scopes = || vec![(scope(1), entries(&[1, 2], false)), (scope(2), entries(&[3], false))];
    let mut bundle = Bundle::new(Some("k".to_owned()), scopes(), 1_000);
    let (mut one, mut two) = (recent(), recent());
    bundle.remember(scope(1), &mut one, NOW);
    bundle.remember(scope(2), &mut two, NOW);
    let mut again = Bundle::new(
        Some("k".to_owned()),
        vec![(scope(1), entries(&[8, 9], false)), (scope(2), entries(&[7], false))],
        1_000,
    );
    let Plan::Store(planned) = plan(&mut again, &[&one, &two]) else { unreachable!() };
    assert!(planned.iter().all(|one| one.records.is_empty()));
    let outcome = Outcome::Stored { ids: ids(&[1, 2]), duplicates: 2, conflicts: 0 };
    assert_eq!(planned[0].outcome, outcome);
    let other = vec![(scope(1), entries(&[8], false)), (scope(2), entries(&[7], false))];
    let mut other = Bundle::new(Some("k".to_owned()), other, 1_000);
    assert_eq!(plan(&mut other, &[&one, &two]), Plan::KeyTaken);
    assert_eq!(plan(&mut bundle, &[&recent(), &recent()]), {
        let mut same = Bundle::new(Some("k".to_owned()), scopes(), 1_000);
        plan(&mut same, &[&recent(), &recent()])
    });
}

proptest! {
    #[test]
    fn every_event_is_in_one_record_of_its_scope_in_order(
        sizes in prop::collection::vec(prop::collection::vec(1_usize..300, 1..20), 1..5),
        max in 50_usize..400,
    ) {
        let mut number = 0;
        let mut scopes = Vec::new();
        let mut wanted = Vec::new();
        for (at, sizes) in (0..).zip(&sizes) {
            let entries: Vec<_> = sizes.iter().map(|bytes| {
                number += 1;
                Entry { bytes: *bytes, ..entry(number, false) }
            }).collect();
            wanted.push(entries.iter().map(|e| e.event.id.uuid().as_u128()).collect::<Vec<_>>());
            scopes.push((scope(at), entries));
        }
        let mut bundle = Bundle::new(None, scopes, max);
        let past = recent();
        let planned = plan(&mut bundle, &vec![&past; sizes.len()]);
        let got: Vec<_> = numbers(&planned).into_iter().map(|records| records.concat()).collect();
        prop_assert_eq!(got, wanted);
    }
}
