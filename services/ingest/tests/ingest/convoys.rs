//! Records of many scopes share the way to a broker that is slow; each is acknowledged as if it
//! had travelled alone.

use std::process::Command;
use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::id::PortalId;
use futures::future::join_all;

use crate::support::{Instance, World, event};

/// More than travel alone at the same time, and as many again as make a convoy.
const SCOPES: usize = 48;
const ROUNDS: usize = 50;

struct Crowd {
    world: World,
    portals: Vec<PortalId>,
}

impl Crowd {
    async fn new() -> Self {
        let world = World::new().await;
        let mut portals = Vec::new();
        for _ in 0..SCOPES {
            portals.push(world.portal().await);
        }
        Self { world, portals }
    }

    /// One event into every scope at once; the ids, scope by scope.
    async fn post(&self, instance: &Instance) -> Vec<String> {
        let posts = self.portals.iter().map(|portal| {
            instance.post(format!("[{}]", event(&format!(r#","portal_id":"{portal}""#))))
        });
        join_all(posts).await.iter().map(|answer| answer.ids().remove(0)).collect()
    }

    /// The same into a broker that sleeps until all have been sent.
    async fn post_into_sleep(&self, instance: &Instance) -> Vec<String> {
        self.signal("-STOP");
        let sent = async {
            while in_hand(instance) < SCOPES {
                tokio::task::yield_now().await;
            }
            // Longer than any of them waits for its turn.
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.signal("-CONT");
        };
        let both = async { tokio::join!(self.post(instance), sent).0 };
        tokio::time::timeout(Duration::from_mins(1), both).await.unwrap()
    }

    fn signal(&self, name: &str) {
        let pid = self.world.broker.as_ref().unwrap().pid().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Every scope holds exactly these, in order, as one chain.
    async fn holds(&self, rounds: &[Vec<String>]) {
        for (place, portal) in self.portals.iter().enumerate() {
            let scope = Scope::Portal(self.world.org, *portal);
            let expected: Vec<_> = rounds.iter().map(|ids| ids[place].clone()).collect();
            assert_eq!(self.world.stored_ids(scope).await, expected);
        }
    }
}

/// Requests whose bytes are in memory.
fn in_hand(instance: &Instance) -> usize {
    let metrics = instance.context.metrics.encode();
    let gauge =
        metrics.lines().find_map(|line| line.strip_prefix("auditrelay_ingest_inflight_bytes "));
    // An event of these takes some 180 bytes, and each is counted three times.
    gauge.map_or(0, |bytes| bytes.parse::<usize>().unwrap() / 540)
}

fn convoys(instance: &Instance, outcome: &str) -> bool {
    let counted = format!(r#"auditrelay_ingest_convoy_records_count{{outcome="{outcome}"}}"#);
    instance.context.metrics.encode().contains(&counted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_records_travel_together_and_every_scope_keeps_its_order() {
    let crowd = Crowd::new().await;
    let instance = crowd.world.instance().await;
    let mut rounds = vec![crowd.post(&instance).await];
    for _ in 0..ROUNDS {
        rounds.push(crowd.post_into_sleep(&instance).await);
        if convoys(&instance, "stored") {
            break;
        }
    }
    assert!(convoys(&instance, "stored"), "{}", instance.context.metrics.encode());
    crowd.holds(&rounds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_met_another_instances_record_holds_nobody_up_but_for_a_moment() {
    let crowd = Crowd::new().await;
    let here = crowd.world.instance().await;
    let there = crowd.world.instance().await;
    let mut rounds = vec![crowd.post(&here).await];
    for _ in 0..ROUNDS {
        rounds.push(crowd.post(&there).await);
        rounds.push(crowd.post_into_sleep(&here).await);
        if convoys(&here, "refused") {
            break;
        }
    }
    assert!(convoys(&here, "refused"), "{}", here.context.metrics.encode());
    crowd.holds(&rounds).await;
}
