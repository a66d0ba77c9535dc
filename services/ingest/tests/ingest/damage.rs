//! What nobody can read does not stop a scope.

use auditrelay_model::record::Record;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{World, event, events};

/// Publishes bytes on a subject, as anybody with the broker's password could.
async fn publish(world: &World, subject: &str, headers: &str, payload: &str) {
    let port = world.broker.as_ref().unwrap().port();
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = format!("NATS/1.0\r\n{headers}\r\n");
    let text = format!(
        "CONNECT {{\"headers\":true,\"verbose\":false}}\r\nHPUB {subject} {} {}\r\n{head}{payload}\r\nPING\r\n",
        head.len(),
        head.len() + payload.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut heard = String::new();
    while !heard.contains("PONG") {
        let mut some = [0; 1_024];
        let read = stream.read(&mut some).await.unwrap();
        heard += &String::from_utf8_lossy(&some[..read]);
    }
    assert!(!heard.contains("-ERR"), "{heard}");
}

async fn records_behind(world: &World, sequence: u64) -> Record {
    let found = world.streams.next_readable_record(world.scope(), sequence).await.unwrap();
    found.unwrap().record
}

fn subject(world: &World) -> String {
    let group = world.scope().group();
    format!("audit.events.{}.{}.{}.org", group / 8, group % 8, world.org)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_what_is_no_record_at_all_an_epoch_begins() {
    let world = World::new().await;
    world.instance().await.post(events(2)).await.ids();
    publish(&world, &subject(&world), "X: y\r\n", "garbage").await;
    let instance = world.instance().await;
    let named = event(&format!(r#","id":"{}""#, uuid::Uuid::from_u128(7)));
    instance.post(named.clone()).await.ids();
    let (old, new) = (records_behind(&world, 1).await, records_behind(&world, 2).await);
    assert!(new.epoch > old.epoch);
    assert_eq!((new.first_number, new.previous_digest), (1, None));
    // The past is known although there is something in it that cannot be read.
    assert_eq!(world.instance().await.post(named).await.body["duplicates"], 1);
    let metrics = instance.context.metrics.encode();
    assert!(metrics.contains("auditrelay_ingest_damaged_ends_total 1\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_whose_bytes_are_damaged_keeps_its_place_in_the_chain() {
    let world = World::new().await;
    let id = uuid::Uuid::from_u128(9);
    let digest = "07".repeat(32);
    let headers = format!(
        "Nats-Msg-Id: {id}\r\nAuditrelay-Numbers: 5.1.3\r\nAuditrelay-Digest: {digest}\r\n"
    );
    publish(&world, &subject(&world), &headers, "damaged").await;
    let instance = world.instance().await;
    instance.post(events(1)).await.ids();
    let next = records_behind(&world, 1).await;
    assert_eq!((next.epoch, next.first_number), (5, 4));
    assert_eq!(next.previous_digest, Some([7; 32]));
}
