//! Whatever lies at the broker is read or passed over: it stops nobody, and costs nothing but itself.

use std::path::Path;
use std::time::Duration;

use auditrelay_proto::delivery::v1::DeliveryEvent;
use auditrelay_testkit::builders::{ago, now, some};
use auditrelay_testkit::siem::Siem;
use auditrelay_testkit::stack::{Org, Reply, Service, Stack};
use futures::StreamExt as _;
use futures::stream;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::wire::Wire;

/// Rows that are played side by side.
const TOGETHER: usize = 8;
/// Then what was accepted does not come any more.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_of_ours_would_store_stops_nobody() {
    let mut stack = Stack::builder().alone().start().await;
    let file: Value = toml::from_str(include_str!("bad_input/broker.toml")).unwrap();
    let rows = file["rows"].as_array().unwrap();
    assert!(rows.len() > 40, "{}", rows.len());
    let played = stream::iter(rows).map(|row| Scene::play(&stack, row));
    let scenes: Vec<Scene> = played.buffered(TOGETHER).collect().await;
    // One event of one record and three of another were sent again in vain.
    let denied = "auditrelay_webhook_quarantine_releases_total{result=\"denied\"} 4\n";
    let metrics = stack.metrics(Service::Sender);
    assert!(metrics.contains(denied), "{metrics}");
    for service in Service::ALL {
        stack.kill(service);
    }
    for service in Service::ALL {
        stack.run(service).await;
    }
    let went_on = stream::iter(scenes).map(Scene::after_a_start).buffered(TOGETHER);
    let wrong: Vec<String> = went_on.map(stream::iter).flatten().collect().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// An organization in whose streams something lies.
struct Scene {
    name: String,
    org: Org,
    siem: Siem,
    destination: String,
    accepted: Vec<String>,
    /// What a lost fact said, or nobody noted, may be done again.
    repeats: bool,
    wrong: Vec<String>,
}

impl Scene {
    async fn play(stack: &Stack, row: &Value) -> Self {
        let (org, siem) = (stack.org().await, Siem::start().await);
        let destination = org.deliver_to(&siem, "json").await;
        let name = row["row"].as_str().unwrap().to_owned();
        let repeats = row["repeats"] == true;
        let (accepted, wrong) = (Vec::new(), Vec::new());
        let mut scene = Self { name, org, siem, destination, accepted, repeats, wrong };
        scene.delivers("before it", 3).await;
        let mut wire = Wire::to(stack).await;
        scene.publish(&mut wire, row).await;
        scene.goes_on("behind it").await;
        scene.set_aside(row["aside"].as_u64().unwrap_or(0)).await;
        scene.replays(row["replay"].as_str().unwrap_or("completed")).await;
        scene
    }

    /// What is wrong with it in the end.
    async fn after_a_start(mut self) -> Vec<String> {
        // Who is killed repeats what it had sent and not noted.
        self.repeats = true;
        self.delivers("after a start", 3).await;
        self.changes("after a start").await;
        self.wrong.into_iter().map(|what| format!("{}: {what}", self.name)).collect()
    }

    async fn changes(&mut self, when: &str) {
        let place = format!("/v3/audit-log-destinations/{}", self.destination);
        let name = json!({"name": format!("{when} {}", self.org.id)});
        self.ok(when, "a change of settings", async |org| org.patch(&place, &name).await).await;
    }

    /// What is answered 200, if need be at a later try: a busy machine may be late.
    async fn ok(&mut self, when: &str, what: &str, ask: impl AsyncFn(&Org) -> Reply) -> Value {
        let begun = Instant::now();
        loop {
            let reply = ask(&self.org).await;
            if reply.status != 503 || begun.elapsed() > PATIENCE {
                self.expect(when, what, reply.status == 200, &reply.body);
                return reply.body;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Everything that people and producers do is done.
    async fn goes_on(&mut self, when: &str) {
        self.delivers(when, 3).await;
        self.changes(when).await;
        for path in [
            "/v3/audit-logs?page[size]=1000",
            "/v1/coverage",
            "/v1/replay-jobs",
            "/v1/webhooks/org/attempts",
            "/v1/webhooks/org/quarantine",
            "/v3/audit-log-webhook/status",
        ] {
            let seen = self.ok(when, path, async |org| org.get(path).await).await;
            if path.starts_with("/v3/audit-logs") {
                let listed = seen["data"].as_array().map_or(0, Vec::len);
                let whole = listed >= self.accepted.len();
                self.expect(when, "all that was accepted is listed", whole, &json!(listed));
            }
        }
        let (from, to, all) = (ago(Duration::from_hours(1)), now(), json!({}));
        self.ok(when, "an estimate", async |org| org.estimate(from, to, &all).await).await;
        let tokens = format!("/v1/organizations/{}/tokens", self.org.id);
        self.ok(when, "tokens", async |org| org.get(&tokens).await).await;
    }

    fn expect(&mut self, when: &str, what: &str, holds: bool, seen: &Value) {
        if !holds {
            self.wrong.push(format!("{when}: {what}: {seen}"));
        }
    }

    /// So many events are accepted and come, in order, each once.
    async fn delivers(&mut self, when: &str, count: usize) {
        self.accepted.extend(self.org.insist(&some(count)).await);
        let begun = Instant::now();
        while self.first_receipts() != self.accepted && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if self.first_receipts() != self.accepted {
            self.wrong.push(format!("{when}: {:?} of {:?}", self.siem.live_ids(), self.accepted));
        }
        if !self.repeats && self.siem.live_ids().len() > self.accepted.len() {
            self.wrong.push(format!("{when}: something came twice"));
        }
    }

    fn first_receipts(&self) -> Vec<String> {
        let mut first = Vec::new();
        for id in self.siem.live_ids() {
            if !first.contains(&id) {
                first.push(id);
            }
        }
        first
    }

    async fn set_aside(&mut self, count: u64) {
        let delivery = self.org.get("/v1/webhooks/org/delivery").await.must(200).body;
        let aside = delivery.to_string().contains(&format!("\"events_quarantined\":{count}"));
        self.expect("then", "what is set aside is counted", aside, &delivery);
        if count > 0 {
            self.stays_aside().await;
        }
    }

    /// What cannot be read cannot be sent either: it stays, and says so.
    async fn stays_aside(&mut self) {
        let list = "/v1/webhooks/org/quarantine";
        let all = self.org.get(list).await.must(200).body["data"].as_array().unwrap().clone();
        for entry in &all {
            let path = format!("{list}/{}", entry["id"].as_str().unwrap());
            let refused = self.org.post(&format!("{path}/resend"), &json!({})).await;
            let told = refused.body["detail"].as_str().unwrap_or_default().to_lowercase();
            let told = refused.status == 409 && told.contains("cannot be read");
            self.expect("then", "what cannot be read is not sent", told, &refused.body);
            let shown = self.org.get(&path).await.must(200).body;
            let stays = shown["state"] == "parked" && shown["releases"] == json!([]);
            self.expect("then", "what cannot be sent stays", stays, &shown);
        }
        let last = all.last().map(|entry| entry["id"].as_str().unwrap().to_owned()).unwrap();
        let gone = self.org.post(&format!("{list}/{last}/discard"), &json!({})).await;
        self.expect("then", "what cannot be read can be discarded", gone.status == 200, &gone.body);
    }

    /// A replay of everything ends, and says how.
    async fn replays(&mut self, state: &str) {
        let made = self.org.replay_job(ago(Duration::from_hours(1)), now(), &json!({})).await;
        if made.status != 202 {
            return self.wrong.push(format!("no replay: {}", made.body));
        }
        let id = made.text("id");
        let path = format!("/v1/replay-jobs/{id}");
        let begun = Instant::now();
        let job = loop {
            let job = self.org.get(&path).await.body;
            let over = ["completed", "failed"].iter().any(|end| job["state"] == *end);
            if over || begun.elapsed() > PATIENCE {
                break job;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        self.expect("then", &format!("the replay is {state}"), job["state"] == state, &job);
        if state == "completed" {
            let whole = self.siem.replayed_ids(&id) == self.accepted;
            self.expect("then", "the replay brings all, once and in order", whole, &job);
        }
    }

    async fn publish(&self, wire: &mut Wire, row: &Value) {
        let to = self.place(row["to"].as_str().unwrap(), wire).await;
        let payload = self.payload(row, &to, wire).await;
        let mut head = String::new();
        for (name, value) in row["headers"].as_object().into_iter().flatten() {
            let value = self.place(value.as_str().unwrap(), wire).await;
            head = head + name + ": " + &value + "\r\n";
        }
        for number in 0..row["many_headers"].as_u64().unwrap_or(0) {
            head = head + "X-" + &number.to_string() + ": y\r\n";
        }
        if row["unstored"] == true {
            wire.say(&to, &payload).await;
        } else {
            let stored = wire.ask_with(&to, &head, &payload).await;
            let stored: Value = serde_json::from_slice(&stored).unwrap();
            assert_eq!(stored["error"], Value::Null, "{}: {stored}", self.name);
        }
    }

    async fn payload(&self, row: &Value, to: &str, wire: &mut Wire) -> Vec<u8> {
        let mut payload = if let Some(hex) = row["hex"].as_str() {
            let pairs = (0..hex.len()).step_by(2);
            pairs.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        } else if let Some(golden) = row["golden"].as_str() {
            let here = Path::new(env!("CARGO_MANIFEST_DIR"));
            let file = format!("../proto/rust/tests/golden/{golden}.binpb");
            std::fs::read(here.join(file)).unwrap()
        } else if row["own"] == true {
            let stream = if to.contains(".config.") { "CONFIG" } else { "DELIVERY" };
            loop {
                let own = wire.ask(&format!("$JS.API.DIRECT.GET.{stream}.{to}"), &[]).await;
                if !own.is_empty() {
                    break own;
                }
            }
        } else {
            row["send"].as_str().unwrap().as_bytes().to_vec()
        };
        let cut = usize::try_from(row["cut"].as_u64().unwrap_or(0)).unwrap();
        payload.truncate(payload.len() - cut);
        payload
    }

    /// A text with what `<…>` stands for.
    async fn place(&self, text: &str, wire: &mut Wire) -> String {
        let org = &self.org.id;
        let live = format!("audit.delivery.{org}.org.live");
        let mut text = text
            .replace("<config>", &format!("audit.config.{org}"))
            .replace("<replay>", &format!("audit.replay.{org}.org"))
            .replace("<live>", &live)
            .replace("<org>", org)
            .replace("<token>", "00000000-0000-4000-8000-000000000000")
            .replace("<x*30000>", &"x".repeat(30_000));
        if text.contains("<events>") {
            let scope = auditrelay_model::Scope::Organization(org.parse().unwrap());
            let (group, hash) = (scope.group() / 8, scope.group() % 8);
            text = text.replace("<events>", &format!("audit.events.{group}.{hash}.{org}.org"));
        }
        if text.contains("<epoch>") {
            let epoch = loop {
                let stored = wire.ask(&format!("$JS.API.DIRECT.GET.DELIVERY.{live}"), &[]).await;
                let state = DeliveryEvent::decode(&*stored).unwrap().state;
                if let Some(cursor) = state.and_then(|state| state.cursor) {
                    break cursor.epoch;
                }
            };
            text = text.replace("<epoch>", &epoch.to_string());
        }
        text
    }
}
