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
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::ledger::exactly;

/// A text field that no version has yet, beside those of a message or as its kind.
const UNKNOWN: [u8; 6] = [0xa2, 0x1f, 3, b'n', b'e', b'w'];
/// What the version after this one calls its step of the contract.
const NEXT_STEP: u32 = 2;

/// The next version's hand in the streams: speaks to the broker in its own words.
struct Newer(BufReader<TcpStream>);

impl Newer {
    async fn of(stack: &Stack) -> Self {
        let address = stack.nats.url("api").trim_start_matches("nats://").to_owned();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let options = "{\"verbose\":false,\"headers\":true}";
        let hello = format!("CONNECT {options}\r\nSUB newer 1\r\n");
        stream.write_all(hello.as_bytes()).await.unwrap();
        Self(BufReader::new(stream))
    }

    /// The newest fact of a subject.
    async fn last(&mut self, stream: &str, subject: &str) -> Vec<u8> {
        self.ask(&format!("$JS.API.DIRECT.GET.{stream}.{subject}"), &[]).await
    }

    async fn append(&mut self, subject: &str, fact: Vec<u8>) {
        let stored = self.ask(subject, &fact).await;
        let stored = String::from_utf8_lossy(&stored);
        assert!(stored.contains("\"seq\""), "{stored}");
    }

    /// What is answered, without its head.
    async fn ask(&mut self, subject: &str, payload: &[u8]) -> Vec<u8> {
        let head = format!("PUB {subject} newer {}\r\n", payload.len());
        let words = [head.as_bytes(), payload, b"\r\n"].concat();
        self.0.write_all(&words).await.unwrap();
        let mut line = String::new();
        while !line.contains("MSG newer") {
            line.clear();
            assert_ne!(self.0.read_line(&mut line).await.unwrap(), 0, "the broker hung up");
        }
        let mut lengths = line.split_whitespace().rev().map_while(|word| word.parse().ok());
        let whole: usize = lengths.next().unwrap();
        let head = if line.starts_with('H') { lengths.next().unwrap() } else { 0 };
        let mut answer = vec![0; whole + 2];
        self.0.read_exact(&mut answer).await.unwrap();
        answer[head..whole].to_vec()
    }
}

#[tokio::test]
async fn an_older_sender_goes_on_where_a_newer_one_stopped() {
    let mut stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    let mut accepted = org.send(&some(20)).await;
    siem.wait_for_live(&accepted).await;
    stack.stop(Service::Sender).await;
    let mut newer = Newer::of(&stack).await;
    let subject = format!("audit.delivery.{}.org.live", org.id);
    let last = newer.last("DELIVERY", &subject).await;
    // A kind of fact that is not known here, about a lane with a field that is not known here.
    let last = DeliveryEvent { fact: None, ..DeliveryEvent::decode(&*last).unwrap() };
    let state = [[0x2a, 6].as_slice(), &UNKNOWN].concat();
    newer.append(&subject, [last.encode_to_vec(), state, UNKNOWN.to_vec()].concat()).await;
    stack.run(Service::Sender).await;
    accepted.extend(org.send(&some(3)).await);
    siem.wait_for_live(&accepted).await;
    exactly(&siem.live_ids(), &accepted);
}

#[tokio::test]
async fn what_a_newer_version_configured_counts_and_is_not_written_over() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    let destination = org.deliver_to(&siem, "json").await;
    let mut newer = Newer::of(&stack).await;
    let subject = format!("audit.config.{}", org.id);
    let place = format!("/v3/audit-log-destinations/{destination}");
    let _ = org.patch(&place, &json!({"name": "before"})).await.must(200);
    let last = ConfigEvent::decode(&*newer.last("CONFIG", &subject).await).unwrap();
    let change = last.changes[0].change.clone().unwrap();
    let Change::DestinationUpdated(mut known) = change else { panic!("{last:?}") };
    "after".clone_into(&mut known.name);
    let destination = [known.encode_to_vec(), UNKNOWN.to_vec()].concat();
    let change = [vec![0x1a], varint(destination.len()), destination].concat();
    let fact = ConfigEvent { changes: Vec::new(), min_writer: NEXT_STEP, ..last };
    let fact = [fact.encode_to_vec(), vec![0x22], varint(change.len()), change].concat();
    newer.append(&subject, fact).await;
    wait::until("the newer version's name to be shown", async || {
        let shown = org.get(&place).await.must(200).text("name");
        if shown == "after" { Ok(()) } else { Err(shown) }
    })
    .await;
    is_left_to_the_newer_version(&stack, &org, &siem, &place).await;
}

#[tokio::test]
async fn a_kind_of_change_that_is_not_known_holds_only_changes_up() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    let destination = org.deliver_to(&siem, "json").await;
    let mut newer = Newer::of(&stack).await;
    let subject = format!("audit.config.{}", org.id);
    let last = ConfigEvent::decode(&*newer.last("CONFIG", &subject).await).unwrap();
    let known = ConfigEvent { changes: Vec::new(), ..last.clone() };
    let change = [known.encode_to_vec(), vec![0x22, 6], UNKNOWN.to_vec()].concat();
    newer.append(&subject, change).await;
    // What comes after it is known again.
    let one = ConfigChange { change: last.changes[0].change.clone() };
    newer.append(&subject, ConfigEvent { changes: vec![one], ..last }.encode_to_vec()).await;
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
