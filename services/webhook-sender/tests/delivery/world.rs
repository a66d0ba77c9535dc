//! A broker, a log, a webhook, and senders that can be stopped and killed.

use std::time::Duration;

use auditrelay_broker::{Broker, BrokerOptions, find_or_provide};
use auditrelay_model::config::{ConfigChange, ConfigEvent};
use auditrelay_model::delivery::{Lane, LaneState};
use auditrelay_model::destination::Destination;
use auditrelay_model::id::{CommandId, JobId, OrgId};
use auditrelay_model::quarantine::Parked;
use auditrelay_model::replay::{Plan, ReplayEvent, ReplayFact, Terms};
use auditrelay_model::stream::StreamSpec;
use auditrelay_model::test_delivery::{TestDelivery, TestReport};
use auditrelay_model::{Clock, Scope, Window};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::context::Context;
use auditrelay_runtime::ids::uuid_v7;
use auditrelay_runtime::settings::Settings;
use auditrelay_signing::{KeySet, SealingKeys, SystemRandom, Verifier, line};
use auditrelay_streams::{
    Backwards, ConfigFold, NatsSettings, Projection, ReplayFold, StreamName, Streams, TestReply,
    connect,
};
use auditrelay_webhook_sender::Config;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::builders::{destination, spec};
use crate::log::Log;
use crate::receiver::{Receiver, Request};

#[path = "tampering.rs"]
mod tampering;

pub(crate) const BATCH_EVENTS: usize = 10;
pub(crate) const AUTHORIZATION: &str = "Splunk a-secret";
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct World {
    pub(crate) receiver: Receiver,
    scope: Scope,
    streams: Streams,
    configured: Projection<ConfigFold>,
    jobs: Projection<ReplayFold>,
    destination: Destination,
    signing: KeySet,
    sealing: SealingKeys,
    log: Log,
    broker: tokio::sync::Mutex<Option<Broker>>,
    _store: tempfile::TempDir,
}

impl World {
    /// A world whose scope has an enabled webhook.
    pub(crate) async fn new() -> Self {
        let store = tempfile::tempdir().unwrap();
        let binary = find_or_provide().await.unwrap();
        let broker = Broker::start(&binary, BrokerOptions::new(store.path())).await.unwrap();
        let streams = connection(&broker).await;
        for name in StreamName::ALL {
            streams.create_stream(&spec(name)).await.unwrap();
        }
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let random = SystemRandom::new();
        let sealing = SealingKeys::generate("s1", &random).unwrap();
        let receiver = Receiver::start().await;
        let scope = Scope::Organization(OrgId::from_uuid(uuid_v7()));
        let world = Self {
            destination: destination(&receiver, &sealing),
            receiver,
            scope,
            configured: Projection::start(&streams, &stop, &tasks),
            jobs: Projection::start(&streams, &stop, &tasks),
            log: Log::new(scope, streams.clone()),
            streams,
            signing: KeySet::generate("k1", "2026-01-01T00:00:00Z", &random).unwrap(),
            sealing,
            broker: tokio::sync::Mutex::new(Some(broker)),
            _store: store,
        };
        world.webhook(true).await;
        world
    }

    pub(crate) async fn webhook(&self, enabled: bool) {
        self.webhook_of(self.scope, &self.destination, enabled).await;
    }

    /// The webhook of any scope.
    pub(crate) async fn webhook_of(&self, scope: Scope, to: &Destination, enabled: bool) {
        let changes = vec![
            ConfigChange::DestinationUpdated(to.clone()),
            ConfigChange::WebhookChanged { scope, destination: Some(to.id), enabled },
        ];
        let event = ConfigEvent {
            at: SystemClock.now(),
            actor: "test".to_owned(),
            command: CommandId::from_uuid(uuid_v7()),
            changes,
            origin: None,
            summary: String::new(),
        };
        let decide = |_: &_| Ok::<_, ()>(vec![event.clone()]);
        self.configured.execute(&scope.org(), decide).await.unwrap();
    }

    /// Another organization's destination.
    pub(crate) fn another_destination(&self, endpoint: &str) -> Destination {
        let endpoint = endpoint.to_owned();
        Destination { endpoint, ..destination(&self.receiver, &self.sealing) }
    }

    /// Another organization's log.
    pub(crate) fn another_log(&self, scope: Scope) -> Log {
        Log::new(scope, self.streams.clone())
    }

    /// Changes the destination's address; returns the one before.
    pub(crate) async fn move_to(&mut self, endpoint: &str) -> String {
        self.destination.updated_at = SystemClock.now();
        let before = std::mem::replace(&mut self.destination.endpoint, endpoint.to_owned());
        self.webhook(true).await;
        before
    }

    /// Asks for a test of the destination, or of what has become of it.
    pub(crate) async fn test(&self, change: impl FnOnce(&mut Destination)) -> TestReport {
        let mut destination = self.destination.clone();
        change(&mut destination);
        let command = TestDelivery {
            scope: self.scope,
            destination,
            actor: "me".to_owned(),
            traceparent: None,
        };
        let answered = async {
            loop {
                match self.streams.ask(&command, PATIENCE).await {
                    Ok(TestReply::Report(report)) => return *report,
                    // Nobody listens yet.
                    Ok(TestReply::Unavailable(_)) | Err(_) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.unwrap()
    }

    /// A running sender with a connection of its own.
    pub(crate) async fn sender(&self, instance: &str) -> Sender {
        self.sender_with(instance, &[]).await
    }

    /// The same with other settings.
    pub(crate) async fn sender_with(&self, instance: &str, more: &[(&str, &str)]) -> Sender {
        let streams = connection(self.broker.lock().await.as_ref().unwrap()).await;
        let context = Context::new(instance.to_owned());
        let config = self.config(more);
        auditrelay_webhook_sender::start(config, streams, context.clone()).await.unwrap();
        Sender { context }
    }

    /// The broker is killed and started again on the same store and port.
    pub(crate) async fn restart_broker(&self) {
        let mut broker = self.broker.lock().await;
        let again = broker.as_ref().unwrap().same_again();
        broker.take().unwrap().kill().await;
        let binary = find_or_provide().await.unwrap();
        *broker = Some(Broker::start(&binary, again).await.unwrap());
    }

    fn config(&self, more: &[(&str, &str)]) -> Config {
        let batch = BATCH_EVENTS.to_string();
        let (signing, sealing) = (self.signing.to_json(), self.sealing.to_json());
        let env = [
            ("SENDER_ALLOW_HTTP", "true"),
            ("SENDER_ALLOW_PRIVATE_DESTINATIONS", "127.0.0.0/8"),
            ("SENDER_BATCH_EVENTS", &batch),
            ("SENDER_RETRY_MIN", "20ms"),
            ("SENDER_RETRY_MAX", "100ms"),
            ("SENDER_PROBE_MIN", "100ms"),
            ("SENDER_PROBE_MAX", "500ms"),
            ("SIGNING_KEYS", &signing),
            ("SEALING_KEYS", &sealing),
        ];
        let env = env.iter().chain(more);
        let env = env.map(|(key, value)| (format!("AUDITRELAY_{key}"), (*value).to_owned()));
        let mut settings = Settings::load(None, env).unwrap();
        let config = Config::parse(&mut settings);
        settings.finish().unwrap();
        config
    }

    /// Stores a record of so many events; returns their ids.
    pub(crate) async fn append(&self, events: usize) -> Vec<String> {
        self.log.append(events).await
    }

    /// What is in the log, in order.
    pub(crate) fn appended(&self) -> Vec<String> {
        self.log.appended()
    }

    /// A job over everything, as the scheduler makes it.
    pub(crate) async fn replay(&self) -> JobId {
        let job = JobId::from_uuid(uuid_v7());
        let now = SystemClock.now();
        let window = Window::stored(now - Duration::from_hours(1), now);
        let last = self.streams.events_state().await.unwrap().last_sequence;
        self.streams.create_replay_consumer(self.scope, job, 1).await.unwrap();
        let plan = Plan { from_sequence: 1, until_sequence: last, ..Plan::EMPTY };
        let (terms, waits) = (Terms::default(), false);
        let facts = [
            ReplayFact::Accepted { window, snapshot_sequence: last, terms, waits },
            ReplayFact::Scheduled(plan),
        ];
        let facts = facts.map(|fact| {
            let actor = "test".to_owned();
            ReplayEvent { at: now, scope: self.scope, job, actor, origin: None, fact }
        });
        let decide = |_: &_| Ok::<_, ()>(facts.to_vec());
        self.jobs.execute(&self.scope, decide).await.unwrap();
        job
    }

    /// What stands in quarantine.
    pub(crate) async fn parked(&self) -> Vec<Parked> {
        let last = self.streams.last_parked(self.scope).await.unwrap();
        let (mut way, mut found) = (Backwards::new(1, last), Vec::new());
        while !way.is_done() {
            found.extend(self.streams.parked_back(self.scope, &mut way).await.unwrap());
        }
        let mut found: Vec<Parked> = found.into_iter().map(|(_, parked)| parked).collect();
        found.sort_by_key(|parked| parked.position.number);
        found
    }

    /// Every fact of delivery expires now.
    pub(crate) async fn expire_facts(&self) {
        let kept = spec(StreamName::Delivery);
        let brief = Duration::from_millis(100);
        let expiring = StreamSpec { max_age: brief, duplicate_window: brief, ..kept.clone() };
        self.streams.update_stream(&expiring).await.unwrap();
        while self.streams.last_delivery(self.scope, Lane::Live).await.unwrap().is_some() {
            tokio::time::sleep(brief).await;
        }
        self.streams.update_stream(&kept).await.unwrap();
    }

    /// Waits until the receiver has accepted so many different events.
    pub(crate) async fn delivered(&self, count: usize) {
        let distinct = || {
            let mut ids = self.receiver.ids();
            ids.sort();
            ids.dedup();
            ids.len()
        };
        let waited = async {
            while distinct() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, waited).await;
        assert!(came.is_ok(), "{} of {count}; {:?}", distinct(), self.state(Lane::Live).await);
    }

    /// Waits until the live lane's stored state is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&LaneState) -> bool) {
        self.lane_until(Lane::Live, what, wanted).await;
    }

    pub(crate) async fn lane_until(
        &self,
        lane: Lane,
        what: &str,
        wanted: impl Fn(&LaneState) -> bool,
    ) {
        let waited = async {
            while !wanted(&self.state(lane).await) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, waited).await;
        assert!(came.is_ok(), "never {what}: {:?}", self.state(lane).await);
    }

    /// Waits until the facts say that everything was delivered.
    pub(crate) async fn caught_up(&self) {
        let all = self.appended().len() as u64;
        self.until("caught up", |state| state.totals.events_delivered == all).await;
    }

    pub(crate) async fn state(&self, lane: Lane) -> LaneState {
        let last = self.streams.last_delivery(self.scope, lane).await.unwrap_or_default();
        last.map(|(event, _)| event.state).unwrap_or_default()
    }

    /// Checks what a receiver checks.
    pub(crate) fn check(&self, request: &Request) {
        let verifier: Verifier = self.signing.jwks().verifier();
        for text in request.body.lines() {
            let (signed, signature) = line::split(text).unwrap();
            assert!(verifier.verify(signed.as_bytes(), signature), "{text}");
        }
        let (id, at) = (request.header("webhook-id"), request.header("webhook-timestamp"));
        let expected =
            self.signing.current().sign_webhook(id, at.parse().unwrap(), request.body.as_bytes());
        assert_eq!(request.header("webhook-signature"), expected);
        assert!(id.starts_with("msg_"), "{id}");
        assert_eq!(request.header("authorization"), AUTHORIZATION);
        assert_eq!(request.header("content-type"), "text/plain");
        assert_eq!(request.header("content-encoding"), "gzip");
        assert!(request.header("user-agent").starts_with("auditrelay/"));
    }
}

/// A running sender.
pub(crate) struct Sender {
    context: Context,
}

impl Sender {
    /// A gauge that it shows; 0 for one that it does not.
    pub(crate) fn shows(&self, metric: &str) -> u64 {
        let text = self.context.metrics.encode();
        let value = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Drains it.
    pub(crate) async fn stop(self) {
        let stopped = self.context.drain.stop(Duration::from_secs(20)).await;
        assert_eq!(stopped, auditrelay_runtime::lifecycle::Stopped::Clean);
    }

    /// Every task is dropped where it waits, as in a crash.
    pub(crate) async fn kill(self) {
        self.context.drain.hard.cancel();
        let _ = self.context.drain.stop(Duration::ZERO).await;
    }
}

async fn connection(broker: &Broker) -> Streams {
    let settings = NatsSettings { url: broker.url(), credentials: None, name: "test".to_owned() };
    connect(&settings).await.unwrap()
}
