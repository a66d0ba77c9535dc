//! Replay jobs, with a scheduler that decides as it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use auditrelay_model::replay::{Phase, Plan, Progress, ReplayEvent, ReplayFact, Tally};
use auditrelay_model::{Clock, Scope};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_streams::{
    Estimate, Projection, ReplayAction, ReplayCommand, ReplayFold, ReplayReply,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, World};

const PATH: &str = "/v3/audit-log-replay-job";

/// What a scheduler would say about every window.
const ESTIMATE: Estimate = Estimate {
    tally: Tally { events: 1_200, bytes: 300_000, body_bytes: 900_000, batches: 3 },
    exact: true,
    events_max: 1_300,
    duration: Duration::from_millis(2_500),
    events_per_second: 480.0,
    is_rate_measured: true,
};

/// Stores what is asked for, unless the job runs; remembers the commands.
#[derive(Clone)]
pub(crate) struct Scheduler {
    replays: Projection<ReplayFold>,
    commands: Arc<Mutex<Vec<ReplayCommand>>>,
}

impl Scheduler {
    pub(crate) async fn start(world: &World) -> Self {
        let drain = &world.context.drain;
        let replays = Projection::start(&world.streams, &drain.hard, &drain.tasks);
        let scheduler = Self { replays, commands: Arc::default() };
        let mut commands = world.streams.listen::<ReplayCommand>().await.unwrap();
        let serving = scheduler.clone();
        tokio::spawn(async move {
            while let Some(incoming) = commands.next().await {
                let reply = serving.decide(&incoming.command).await;
                incoming.reply(&reply).await;
            }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        scheduler
    }

    async fn decide(&self, command: &ReplayCommand) -> ReplayReply {
        self.commands.lock().unwrap().push(command.clone());
        let current = self.replays.read(&command.scope).await.unwrap().state;
        let running =
            current.living().is_some_and(|job| matches!(job.phase, Phase::Running { .. }));
        let fact = match &command.action {
            ReplayAction::Estimate { .. } => return ReplayReply::Estimated(ESTIMATE),
            ReplayAction::Configure { may_wait: false, .. } if running => {
                let (code, detail) = ("running".to_owned(), "busy".to_owned());
                return ReplayReply::Denied { code, detail };
            }
            ReplayAction::Configure { window, terms, may_wait } => ReplayFact::Accepted {
                window: *window,
                snapshot_sequence: 9,
                terms: terms.clone(),
                waits: *may_wait,
            },
            ReplayAction::Pause { reason } => ReplayFact::Paused { reason: reason.clone() },
            ReplayAction::Resume => ReplayFact::Resumed,
            ReplayAction::Cancel { reason } => {
                let reason = reason.clone();
                ReplayFact::Cancelled { reason, progress: Progress::default() }
            }
        };
        ReplayReply::Stored { sequence: self.store(command.scope, command, vec![fact]).await }
    }

    pub(crate) async fn store(
        &self,
        scope: Scope,
        like: &ReplayCommand,
        facts: Vec<ReplayFact>,
    ) -> u64 {
        let (job, actor) = (like.job, like.actor.clone());
        let events: Vec<ReplayEvent> = facts
            .into_iter()
            .map(|fact| ReplayEvent {
                at: SystemClock.now(),
                scope,
                job,
                actor: actor.clone(),
                origin: None,
                fact,
            })
            .collect();
        let stored = self.replays.execute(&scope, |_| Ok::<_, ()>(events.clone())).await;
        stored.unwrap().sequence
    }

    pub(crate) fn last(&self) -> ReplayCommand {
        self.commands.lock().unwrap().last().unwrap().clone()
    }
}

fn window(hours: u64) -> Value {
    let now = SystemClock.now();
    let start = now - Duration::from_hours(hours);
    json!({"start_at": start.to_string(), "end_at": now.to_string()})
}

#[tokio::test]
async fn a_job_is_accepted_runs_is_denied_and_cancelled() {
    let (world, api) = World::admin().await;
    let scheduler = Scheduler::start(&world).await;
    let no_webhook = api.put(PATH, &window(1)).await;
    assert_eq!(no_webhook.faults()[0].0, "audit_log_destination_id");
    let destination = api.destination("d").await;
    let off = json!({"audit_log_destination_id": destination, "enabled": false});
    api.patch("/v3/audit-log-webhook", &off).await.expect(200);
    let disabled = api.put(PATH, &window(1)).await;
    let expected =
        ("webhook.enabled".to_owned(), "webhook is disabled; enable it, then replay".to_owned());
    assert_eq!(disabled.faults(), [expected]);
    api.patch("/v3/audit-log-webhook", &json!({"enabled": true})).await.expect(200);
    let asked = window(1);
    let accepted = api.put(PATH, &asked).await.expect(202);
    assert_eq!(
        (&accepted["status"], &accepted["start_at"]),
        (&json!("accepted"), &asked["start_at"])
    );
    assert_eq!(accepted.as_object().unwrap().len(), 4);
    assert_eq!(api.get("/v2/audit-log-replay-job").await.expect(200), accepted);
    let command = scheduler.last();
    let plan = Plan { from_sequence: 1, until_sequence: 5, estimated_events: 200, ..Plan::EMPTY };
    let progress = Progress { events_sent: 50, ..Progress::default() };
    let holder = "s".to_owned();
    let facts = vec![
        ReplayFact::Scheduled(plan),
        ReplayFact::Started { holder },
        ReplayFact::Advanced(progress),
    ];
    scheduler.store(command.scope, &command, facts).await;
    let running = api.get(PATH).await.expect(200);
    assert_eq!(running["status"], "running");
    let denied = api.put(PATH, &window(2)).await.expect(409);
    assert_eq!(denied["title"], "Resource Conflict");
    assert_eq!(denied["detail"], "A replay job is currently running");
    let detail = api.get("/v1/replay-job").await.expect(200);
    assert_eq!((&detail["state"], &detail["percent"]), (&json!("running"), &json!(25)));
    assert_eq!(detail["id"], command.job.to_string());
    assert_eq!(detail["estimated_events"], 200);
    let cancelled = api.post("/v1/replay-job/cancel", &json!({"reason": "wrong day"})).await;
    let cancelled = cancelled.expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(cancelled["failure"]["reason"], "wrong day");
    assert_eq!(api.get(PATH).await.expect(200)["status"], "failed");
    api.post("/v1/replay-job/cancel", &json!({})).await.expect(409);
    api.put(PATH, &window(1)).await.expect(202);
}

#[tokio::test]
async fn a_portal_has_jobs_of_its_own() {
    let (world, api) = World::admin().await;
    let scheduler = Scheduler::start(&world).await;
    let portal = api.portal("p").await;
    let path = format!("/v3/portals/{portal}/audit-log-replay-job");
    let destination = api.destination("d").await;
    let on = json!({"audit_log_destination_id": destination, "enabled": true});
    api.patch(&format!("/v3/portals/{portal}/audit-log-webhook"), &on).await.expect(200);
    assert_eq!(api.put(PATH, &window(1)).await.faults().len(), 1, "the organization has none");
    let moment = SystemClock.now().to_string();
    let accepted = api.put(&path, &json!({"start_at": moment, "end_at": moment})).await.expect(202);
    assert_eq!(accepted["start_at"], accepted["end_at"]);
    assert_eq!(scheduler.last().scope.portal().unwrap().to_string(), portal);
    assert_eq!(api.get(PATH).await.expect(200)["status"], "unconfigured");
    let own = format!("/v1/portals/{portal}/replay-job");
    let detail = api.get(&own).await.expect(200);
    assert_eq!(api.get(&format!("/v1/replay-job?portal_id={portal}")).await.expect(200), detail);
    api.send(Method::POST, &format!("{own}/cancel"), None).await.expect(200);
    api.get(&path).await.expect(200);
    api.put("/v3/portals/00000000-0000-4000-8000-000000000000/audit-log-replay-job", &window(1))
        .await
        .expect(404);
}

#[tokio::test]
async fn windows_are_checked_before_anybody_is_asked() {
    let (_world, api) = World::admin().await;
    for (body, field) in [
        (json!({}), "start_at"),
        (json!({"start_at": "yesterday", "end_at": "2026-01-01T00:00:00Z"}), "start_at"),
        (window(24 * 8), "start_at"),
        (json!({"start_at": window(1)["end_at"], "end_at": window(1)["start_at"]}), "end_at"),
    ] {
        assert_eq!(api.put(PATH, &body).await.faults()[0].0, field, "{body}");
    }
    let destination = api.destination("d").await;
    let on = json!({"audit_log_destination_id": destination, "enabled": true});
    api.patch("/v3/audit-log-webhook", &on).await.expect(200);
    let alone = api.put(PATH, &window(1)).await;
    alone.expect(503);
    assert_eq!(alone.headers["retry-after"], "5");
    assert_eq!(api.get(PATH).await.expect(200)["status"], "unconfigured");
}

#[tokio::test]
async fn a_repeated_request_is_the_same_job_and_a_flood_is_stopped() {
    let (world, api) = World::admin().await;
    let scheduler = Scheduler::start(&world).await;
    let destination = api.destination("d").await;
    let on = json!({"audit_log_destination_id": destination, "enabled": true});
    api.patch("/v3/audit-log-webhook", &on).await.expect(200);
    let body = window(1).to_string();
    let put = || {
        let request = api.request(Method::PUT, PATH).bearer_auth(&api.token);
        let request = request.header("content-type", "application/json");
        request.header("idempotency-key", "the same").body(body.clone())
    };
    let first = Answer::of(put()).await.expect(202);
    assert_eq!(Answer::of(put()).await.expect(202), first);
    assert_eq!(scheduler.commands.lock().unwrap().len(), 1);
    let mut last = api.put(PATH, &window(1)).await;
    for _ in 0..200 {
        if last.status != 202 {
            break;
        }
        last = api.put(PATH, &window(1)).await;
    }
    last.expect(429);
    assert!(last.headers.contains_key("retry-after"));
}
