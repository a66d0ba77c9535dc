//! Bad input is answered with a documented problem and changes nothing. What is bad stands in data
//! files, one for each surface, a row each: who sends what, and the status and the mistakes it gets.
//!
//! A row that says `with` or `without` sends the file's `good` with other members; one that says
//! `send`, that text. `<now-1h>` is a time, `<x*3>` is `xxx`, other `<…>` are names of this test.

mod rows;

use std::time::Duration;

use auditrelay_testkit::builders::ago;
use auditrelay_testkit::stack::{Org, Reply, Stack};
use serde_json::{Value, json};

use self::rows::{Names, Row};

struct Scene {
    _stack: Stack,
    org: Org,
    tokens: Vec<(&'static str, String)>,
    names: Names,
}

impl Scene {
    async fn start() -> Self {
        Self::on(Stack::start().await).await
    }

    async fn on(stack: Stack) -> Self {
        let (org, stranger) = (stack.org().await, stack.org().await);
        let platform = stack.platform();
        let path = format!("/v1/organizations/{}/tokens", org.id);
        let viewer = json!({"name": "viewer", "role": "viewer"});
        let viewer = platform.post(&path, &viewer).await.must(201).text("token");
        let tokens = vec![
            ("admin", org.admin.clone()),
            ("producer", org.producer.clone()),
            ("viewer", viewer),
            ("wrong", "art_nobody-has-this-token".to_owned()),
            ("nobody", String::new()),
        ];
        let taken = json!({"name": "taken", "endpoint": "https://siem.example.com/",
            "authorization": "Bearer x", "log_format": "json"});
        let destination = "/v3/audit-log-destinations";
        let names = vec![
            ("destination", org.post(destination, &taken).await.must(201).text("id")),
            ("foreign destination", stranger.post(destination, &taken).await.must(201).text("id")),
            ("yesterday", ago(Duration::from_hours(24)).to_string()[..10].to_owned()),
            ("foreign portal", stranger.portal("theirs").await.to_string()),
        ];
        Self { _stack: stack, org, tokens, names }
    }

    /// Everything that a wrong request could have changed.
    async fn state(&self) -> Vec<Value> {
        let paths =
            ["audit-log-destinations", "audit-log-webhook", "audit-log-replay-job", "audit-logs"];
        let mut seen = Vec::new();
        for path in paths {
            let mut body = self.org.get(&format!("/v3/{path}")).await.body;
            if let Some(body) = body.as_object_mut() {
                body.remove("instance");
            }
            seen.push(body);
        }
        seen
    }

    /// Sends every row; what is refused first, so that it is seen to change nothing.
    async fn play(&self, file: &str) -> usize {
        let file: Value = toml::from_str(file).unwrap();
        let (refused, taken): (Vec<Row>, Vec<Row>) =
            rows::of(&file, &self.names).partition(|row| row.status() >= 400);
        let is_page = file["page"] == true;
        let before = self.state().await;
        let mut wrong = Vec::new();
        for row in &refused {
            wrong.extend(self.mistake(row, is_page).await);
        }
        let after = self.state().await;
        assert_eq!(after, before, "something that was refused changed something");
        for row in &taken {
            wrong.extend(self.mistake(row, is_page).await);
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        refused.len()
    }

    async fn mistake(&self, row: &Row<'_>, is_page: bool) -> Option<String> {
        let default = if row.is_of_ingest() { "producer" } else { "admin" };
        let whom = row.whom().unwrap_or(default);
        let (_, token) = self.tokens.iter().find(|(name, _)| *name == whom).unwrap();
        let reply = row.send(&self.org, token).await;
        let (name, wanted) = (row.name(), row.status());
        if reply.status != wanted {
            return Some(format!("{name}: {} instead of {wanted}: {}", reply.status, reply.body));
        }
        if wanted >= 400 && !is_page {
            problem(&reply, wanted);
        }
        let (Some(wanted), found) = (row.faults(), faults_of(&reply)) else { return None };
        (found != wanted).then(|| format!("{name}: {found:?} instead of {wanted:?}"))
    }
}

#[tokio::test]
async fn what_producers_send_wrong_is_told_them() {
    let scene = Scene::start().await;
    assert!(scene.play(include_str!("bad_input/ingest.toml")).await > 70);
}

#[tokio::test]
async fn what_people_say_wrong_of_destinations_and_webhooks_is_told_them() {
    let scene = Scene::start().await;
    assert!(scene.play(include_str!("bad_input/configuration.toml")).await > 70);
}

#[tokio::test]
async fn every_spelling_of_an_inner_address_is_refused() {
    // The kit's own settings let tests deliver to this machine.
    let stack = Stack::builder().set("api.allow_private_destinations", "192.0.2.77/32");
    let scene = Scene::on(stack.set("api.allow_http_destinations", "false").start().await).await;
    let refused = scene.play(include_str!("bad_input/addresses.toml")).await;
    println!("{refused} spellings tried, {refused} refused");
}

#[tokio::test]
async fn windows_that_cannot_be_replayed_start_no_job() {
    let scene = Scene::start().await;
    assert!(scene.play(include_str!("bad_input/replay.toml")).await > 40);
}

#[tokio::test]
async fn pages_that_cannot_be_are_told_and_the_console_refuses_in_pages() {
    let scene = Scene::start().await;
    assert!(scene.play(include_str!("bad_input/pull.toml")).await > 40);
    assert!(scene.play(include_str!("bad_input/console.toml")).await > 25);
}

/// Fails unless the answer is a problem in the documented shape.
fn problem(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.body);
    let header =
        |name: &str| reply.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("content-type").as_deref(), Some("application/problem+json; charset=utf-8"));
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"));
    let body = &reply.body;
    assert_eq!(body["status"], status, "{body}");
    assert_eq!(body["type"], format!("https://httpstatuses.com/{status}"), "{body}");
    assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
    assert!(body["instance"].as_str().unwrap().starts_with("kong:trace:"), "{body}");
}

/// What a problem says is wrong, sorted.
fn faults_of(reply: &Reply) -> Vec<String> {
    let faults = reply.body["invalid_parameters"].as_array().into_iter().flatten();
    let text = |fault: &Value, member: &str| fault[member].as_str().unwrap_or("-").to_owned();
    let mut faults: Vec<_> =
        faults.map(|fault| format!("{}: {}", text(fault, "field"), text(fault, "rule"))).collect();
    faults.sort();
    faults
}
