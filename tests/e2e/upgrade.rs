//! While a newer version takes over, the older one meets what it does not know: it goes on with
//! what it does, and writes over nothing.

use auditrelay_proto::config::v1::{ConfigChange, ConfigEvent, config_change::Change};
use auditrelay_proto::delivery::v1::DeliveryEvent;
use auditrelay_testkit::builders::some;
use auditrelay_testkit::siem::Siem;
use auditrelay_testkit::stack::{Org, Service, Stack};
use auditrelay_testkit::wait;
use prost::Message as _;
use serde_json::json;

use crate::ledger::exactly;
use crate::wire::Wire;

/// A text field that no version has yet, beside those of a message or as its kind.
const UNKNOWN: [u8; 6] = [0xa2, 0x1f, 3, b'n', b'e', b'w'];
/// What the version after this one calls its step of the contract.
const NEXT_STEP: u32 = 2;

/// The newest fact of a subject.
async fn last(wire: &mut Wire, stream: &str, subject: &str) -> Vec<u8> {
    wire.ask(&format!("$JS.API.DIRECT.GET.{stream}.{subject}"), &[]).await
}

/// Stores a fact as the next version would.
async fn append(wire: &mut Wire, subject: &str, fact: Vec<u8>) {
    let stored = wire.ask(subject, &fact).await;
    let stored = String::from_utf8_lossy(&stored);
    assert!(stored.contains("\"seq\""), "{stored}");
}

#[tokio::test]
async fn an_older_sender_goes_on_where_a_newer_one_stopped() {
    let mut stack = Stack::builder().alone().start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let mut accepted = org.send(&some(20)).await;
    siem.wait_for_live(&accepted).await;
    stack.stop(Service::Sender).await;
    let mut wire = Wire::to(&stack).await;
    let subject = format!("audit.delivery.{}.org.live", org.id);
    let stored = last(&mut wire, "DELIVERY", &subject).await;
    // A kind of fact that is not known here, about a lane with a field that is not known here.
    let known = DeliveryEvent { fact: None, ..DeliveryEvent::decode(&*stored).unwrap() };
    let state = [[0x2a, 6].as_slice(), &UNKNOWN].concat();
    append(&mut wire, &subject, [known.encode_to_vec(), state, UNKNOWN.to_vec()].concat()).await;
    stack.run(Service::Sender).await;
    accepted.extend(org.send(&some(3)).await);
    siem.wait_for_live(&accepted).await;
    exactly(&siem.live_ids(), &accepted);
}

#[tokio::test]
async fn what_a_newer_version_configured_counts_and_is_not_written_over() {
    let stack = Stack::builder().alone().start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    let destination = org.deliver_to(&siem, "json").await;
    let mut wire = Wire::to(&stack).await;
    let subject = format!("audit.config.{}", org.id);
    let place = format!("/v3/audit-log-destinations/{destination}");
    let _ = org.patch(&place, &json!({"name": "before"})).await.must(200);
    let last = ConfigEvent::decode(&*last(&mut wire, "CONFIG", &subject).await).unwrap();
    let change = last.changes[0].change.clone().unwrap();
    let Change::DestinationUpdated(mut known) = change else { panic!("{last:?}") };
    "after".clone_into(&mut known.name);
    let destination = [known.encode_to_vec(), UNKNOWN.to_vec()].concat();
    let change = [vec![0x1a], varint(destination.len()), destination].concat();
    let fact = ConfigEvent { changes: Vec::new(), min_writer: NEXT_STEP, ..last };
    let fact = [fact.encode_to_vec(), vec![0x22], varint(change.len()), change].concat();
    append(&mut wire, &subject, fact).await;
    wait::until("the newer version's name to be shown", async || {
        let shown = org.get(&place).await.must(200).text("name");
        if shown == "after" { Ok(()) } else { Err(shown) }
    })
    .await;
    is_left_to_the_newer_version(&stack, &org, &siem, &place).await;
}

#[tokio::test]
async fn a_kind_of_change_that_is_not_known_holds_only_changes_up() {
    let stack = Stack::builder().alone().start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    let destination = org.deliver_to(&siem, "json").await;
    let mut wire = Wire::to(&stack).await;
    let subject = format!("audit.config.{}", org.id);
    let last = ConfigEvent::decode(&*last(&mut wire, "CONFIG", &subject).await).unwrap();
    let known = ConfigEvent { changes: Vec::new(), ..last.clone() };
    let change = [known.encode_to_vec(), vec![0x22, 6], UNKNOWN.to_vec()].concat();
    append(&mut wire, &subject, change).await;
    // What comes after it is known again.
    let one = ConfigChange { change: last.changes[0].change.clone() };
    append(&mut wire, &subject, ConfigEvent { changes: vec![one], ..last }.encode_to_vec()).await;
    let place = format!("/v3/audit-log-destinations/{destination}");
    is_left_to_the_newer_version(&stack, &org, &siem, &place).await;
}

/// It cannot be changed here, everything is delivered, and others are not concerned.
async fn is_left_to_the_newer_version(stack: &Stack, org: &Org, siem: &Siem, place: &str) {
    let refused = org.patch(place, &json!({"name": "older"})).await.must(503);
    let detail = refused.text("detail");
    assert!(detail.contains("newer version"), "{detail}");
    let accepted = org.send(&some(10)).await;
    siem.wait_for_live(&accepted).await;
    exactly(&siem.live_ids(), &accepted);
    let (other, elsewhere) = (stack.org().await, Siem::start().await);
    other.deliver_to(&elsewhere, "json").await;
}

fn varint(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(length as u64, &mut bytes);
    bytes
}
