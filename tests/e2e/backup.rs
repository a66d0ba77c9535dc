//! A copy of the broker's store is a backup, and so are snapshots of the streams: what was held is
//! held, and everything goes on.

use std::time::Duration;

use auditrelay_testkit::builders::{ago, now, some};
use auditrelay_testkit::siem::Siem;
use auditrelay_testkit::stack::{Org, Service, Stack};
use serde_json::{Value, json};

use crate::ledger::{at_least_once, exactly};
use crate::wire::{PIECES, Wire};

#[tokio::test]
async fn a_copy_of_the_store_goes_on_where_the_store_stood() {
    let mut held = Held::begin().await;
    held.stop().await;
    held.stack.nats.restore_from_copy().await;
    let (replayed, accepted) = held.go_on().await;
    at_least_once(&replayed, &accepted);
}

/// Thirty events, which were delivered.
struct Held {
    stack: Stack,
    org: Org,
    siem: Siem,
    accepted: Vec<String>,
}

impl Held {
    async fn begin() -> Self {
        let stack = Stack::builder().alone().start().await;
        let (org, siem) = (stack.org().await, Siem::start().await);
        org.deliver_to(&siem, "json").await;
        let accepted = org.send(&some(30)).await;
        siem.wait_for_live(&accepted).await;
        Self { stack, org, siem, accepted }
    }

    async fn stop(&mut self) {
        for service in Service::ALL {
            self.stack.stop(service).await;
        }
    }

    /// Five more are delivered, nothing twice; what a replay of all brings, and what it should.
    async fn go_on(mut self) -> (Vec<String>, Vec<String>) {
        for service in Service::ALL {
            self.stack.run(service).await;
        }
        let Self { org, siem, mut accepted, stack: _running } = self;
        accepted.extend(org.insist(&some(5)).await);
        siem.wait_for_live(&accepted).await;
        exactly(&siem.live_ids(), &accepted);
        let _ = org.replay(ago(Duration::from_hours(1)), now()).await.must(202);
        let job = org.wait_for_job("completed").await;
        (siem.replayed_ids(job["id"].as_str().unwrap()), accepted)
    }
}

/// What `nats account backup` and `nats account restore` do.
#[tokio::test]
async fn snapshots_of_the_streams_go_on_in_an_empty_account() {
    let mut held = Held::begin().await;
    let mut wire = Wire::to(&held.stack).await;
    let names = names(&mut wire).await;
    assert!(names.len() > 5, "{names:?}");
    held.stop().await;
    let mut backup = Vec::new();
    for name in &names {
        backup.push(snapshot(&mut wire, name).await);
    }
    for name in &names {
        let _ = wire.manage(&format!("STREAM.DELETE.{name}"), &json!({})).await;
    }
    for kept in &backup {
        restore(&mut wire, kept).await;
    }
    let (replayed, accepted) = held.go_on().await;
    exactly(&replayed, &accepted);
}

/// A stream as it was: its definition with its state, and its messages in pieces.
struct Snapshot {
    what: Value,
    pieces: Vec<Vec<u8>>,
}

async fn names(wire: &mut Wire) -> Vec<String> {
    let answer = wire.manage("STREAM.NAMES", &json!({})).await;
    let names = answer["streams"].as_array().unwrap().iter();
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

async fn snapshot(wire: &mut Wire, name: &str) -> Snapshot {
    let request = json!({"deliver_subject": PIECES, "chunk_size": 65_536});
    let answer = wire.manage(&format!("STREAM.SNAPSHOT.{name}"), &request).await;
    let what = json!({"config": answer["config"], "state": answer["state"]});
    let mut pieces = Vec::new();
    loop {
        let piece = wire.piece().await;
        if piece.payload.is_empty() {
            return Snapshot { what, pieces };
        }
        pieces.push(piece.payload);
        if !piece.reply.is_empty() {
            wire.say(&piece.reply, &[]).await;
        }
    }
}

async fn restore(wire: &mut Wire, kept: &Snapshot) {
    let name = kept.what["config"]["name"].as_str().unwrap();
    let answer = wire.manage(&format!("STREAM.RESTORE.{name}"), &kept.what).await;
    let subject = answer["deliver_subject"].as_str().unwrap();
    for piece in &kept.pieces {
        let _taken = wire.ask(subject, piece).await;
    }
    let done: Value = serde_json::from_slice(&wire.ask(subject, &[]).await).unwrap();
    assert_eq!(done["error"], Value::Null, "{name}: {done}");
}
