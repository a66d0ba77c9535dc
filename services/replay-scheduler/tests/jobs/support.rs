//! A broker of its own for each test, records in it, and a sender played by hand.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_broker::{Broker, BrokerOptions, find_or_provide};
use auditrelay_model::clock::ManualClock;
use auditrelay_model::config::{ConfigChange, ConfigEvent};
use auditrelay_model::delivery::{Attempt, DeliveryEvent, DeliveryFact, Lane, LaneState};
use auditrelay_model::destination::{Destination, LogFormat, SealedSecret, TlsPolicy};
use auditrelay_model::event::{Access, AuditEvent, Detail};
use auditrelay_model::id::{BatchId, CommandId, DestinationId, EventId, JobId, OrgId, RecordId};
use auditrelay_model::record::{Digest, Position, Record};
use auditrelay_model::replay::{Job, Terms};
use auditrelay_model::stream::{Discard, Storage, StreamSpec};
use auditrelay_model::{Clock, Scope, Timestamp, Window};
use auditrelay_replay_scheduler::{Config, Scheduler};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::context::Context;
use auditrelay_runtime::ids::uuid_v7;
use auditrelay_streams::{
    ConfigFold, NatsSettings, Projection, ReplayAction, ReplayCommand, ReplayFold, ReplayReply,
    StreamName, Streams, connect,
};
use tokio_util::task::TaskTracker;

pub(crate) struct World {
    pub(crate) streams: Streams,
    pub(crate) context: Context,
    pub(crate) clock: ManualClock,
    pub(crate) scope: Scope,
    pub(crate) broker: Broker,
    config: Projection<ConfigFold>,
    jobs: Projection<ReplayFold>,
    destination: DestinationId,
    _store: tempfile::TempDir,
}

/// A world whose scope has an enabled webhook.
pub(crate) async fn world() -> World {
    let world = bare_world().await;
    world.webhook(true).await;
    world
}

/// A world without configuration.
pub(crate) async fn bare_world() -> World {
    let store = tempfile::tempdir().unwrap();
    let binary = find_or_provide().await.unwrap();
    let broker = Broker::start(&binary, BrokerOptions::new(store.path())).await.unwrap();
    let settings = NatsSettings { url: broker.url(), credentials: None, name: "test".to_owned() };
    let streams = connect(&settings).await.unwrap();
    for name in StreamName::ALL {
        streams.create_stream(&spec(name)).await.unwrap();
    }
    let clock = ManualClock::at(SystemClock.now());
    let mut context = Context::new("scheduler".to_owned());
    context.clock = Arc::new(clock.clone());
    let (stop, tasks) = (&context.drain.hard, &TaskTracker::new());
    World {
        config: Projection::start(&streams, stop, tasks),
        jobs: Projection::start(&streams, stop, tasks),
        destination: DestinationId::from_uuid(uuid_v7()),
        scope: Scope::Organization(OrgId::from_uuid(uuid_v7())),
        streams,
        context,
        clock,
        broker,
        _store: store,
    }
}

fn spec(name: StreamName) -> StreamSpec {
    StreamSpec {
        name: name.to_string(),
        subjects: vec![name.subjects().to_owned()],
        max_age: Duration::ZERO,
        max_bytes: -1,
        max_messages_per_subject: -1,
        max_consumers: 1_000,
        discard: Discard::New,
        storage: Storage::File,
        replicas: 1,
        compressed: false,
        allow_direct: true,
        deny_delete: true,
        duplicate_window: Duration::from_mins(2),
        allow_message_ttl: name == StreamName::Leases,
        allow_atomic: true,
        acks_before_write: false,
    }
}

impl World {
    pub(crate) async fn scheduler(&self) -> Scheduler {
        // Every replica has metrics of its own.
        let context = Context {
            metrics: auditrelay_runtime::metrics::Metrics::default(),
            ..self.context.clone()
        };
        let scheduler = Scheduler::new(Config::default(), self.streams.clone(), &context);
        scheduler.caught_up().await.unwrap();
        scheduler
    }

    pub(crate) async fn webhook(&self, enabled: bool) {
        let now = self.clock.now();
        let destination = Destination {
            id: self.destination,
            name: "siem".to_owned(),
            endpoint: "https://siem.example/".to_owned(),
            authorization: SealedSecret {
                key_id: String::new(),
                nonce: Vec::new(),
                ciphertext: Vec::new(),
            },
            log_format: LogFormat::Json,
            tls: TlsPolicy::Verify,
            created_at: now,
            updated_at: now,
            implicit: false,
        };
        let changes = vec![
            ConfigChange::DestinationUpdated(destination),
            ConfigChange::WebhookChanged {
                scope: self.scope,
                destination: Some(self.destination),
                enabled,
            },
        ];
        let event = ConfigEvent {
            at: now,
            actor: "test".to_owned(),
            command: CommandId::from_uuid(uuid_v7()),
            changes,
            origin: None,
            summary: String::new(),
        };
        let decide = |_: &_| Ok::<_, ()>(vec![event.clone()]);
        self.config.execute(&self.scope.org(), decide).await.unwrap();
    }

    /// The scope's newest job as everybody sees it.
    pub(crate) async fn job(&self) -> Option<Job> {
        self.jobs.read(&self.scope).await.unwrap().state.newest.clone()
    }

    pub(crate) async fn state(&self) -> String {
        self.job().await.map_or("unconfigured", |job| job.state_name()).to_owned()
    }

    /// Code of the failure that the newest job ended with.
    pub(crate) async fn failure(&self) -> Option<String> {
        match self.job().await?.phase {
            auditrelay_model::replay::Phase::Failed { failure, .. } => Some(failure.code),
            _ => None,
        }
    }

    /// A window over the last hour.
    pub(crate) fn window(&self) -> Window {
        Window::stored(self.clock.now() - Duration::from_hours(1), self.clock.now())
    }

    pub(crate) fn configure(&self, window: Window) -> ReplayCommand {
        self.command(
            job_id(),
            ReplayAction::Configure { window, terms: Terms::default(), may_wait: false },
        )
    }

    pub(crate) fn command(&self, job: JobId, action: ReplayAction) -> ReplayCommand {
        ReplayCommand {
            scope: self.scope,
            job,
            actor: "admin".to_owned(),
            traceparent: None,
            origin: None,
            action,
        }
    }

    /// Configures a job over the last hour and returns its id.
    pub(crate) async fn configured(&self, scheduler: &Scheduler) -> JobId {
        let command = self.configure(self.window());
        let reply = scheduler.answer(&command).await;
        assert!(matches!(reply, ReplayReply::Stored { .. }), "{reply:?}");
        command.job
    }

    /// Appends `count` records of two events each, and returns their sequences.
    pub(crate) async fn records(&self, count: u64) -> Vec<u64> {
        let last = self.streams.last_record(self.scope).await.unwrap();
        let mut first_number = last.as_ref().map_or(1, |last| last.record.last_number() + 1);
        let mut digest = last.as_ref().map(|last| last.digest);
        let mut expect = last.as_ref().map_or(0, |last| last.sequence);
        let mut sequences = Vec::new();
        for _ in 0..count {
            let record = record(self.scope, first_number, digest, self.clock.now());
            let appended = self.streams.append_record(&record, expect).await.unwrap();
            (expect, digest) = (appended.sequence, Some(appended.digest));
            first_number += 2;
            sequences.push(expect);
        }
        sequences
    }

    /// A sender delivers the events `first ..= last`, the last of them in record `sequence`.
    pub(crate) async fn delivered(&self, job: JobId, first: u64, last: u64, sequence: u64) {
        let place = |number| Position { epoch: 1, number, sequence };
        let attempt = Attempt {
            batch: BatchId::from_uuid(uuid_v7()),
            number: 1,
            first: place(first),
            last: place(last),
            events: last - first + 1,
            body_bytes: 100,
            started_at: self.clock.now(),
            duration: Duration::from_millis(3),
            destination: self.destination,
            log_format: LogFormat::Json,
            delivered: true,
            status: Some(200),
            message: String::new(),
            trace_id: String::new(),
            sent: None,
            runs: Vec::new(),
        };
        self.fact(job, "sender-a", DeliveryFact::Attempt(Box::new(attempt))).await;
    }

    /// A sender stores a fact of the job's lane.
    pub(crate) async fn fact(&self, job: JobId, sender: &str, fact: DeliveryFact) {
        let (scope, lane, at) = (self.scope, Lane::Replay(job), self.clock.now());
        let last = self.streams.last_delivery(scope, lane).await.unwrap();
        let (state, expect) =
            last.map_or((LaneState::default(), 0), |(event, sequence)| (event.state, sequence));
        let state = state.evolve(at, &fact);
        let event = DeliveryEvent { at, scope, lane, sender: sender.to_owned(), fact, state };
        self.streams.append_delivery(&event, expect).await.unwrap();
    }

    pub(crate) async fn has_consumer(&self, job: JobId) -> bool {
        self.streams.replay_consumers().await.unwrap().contains(&job)
    }
}

pub(crate) fn job_id() -> JobId {
    JobId::from_uuid(uuid_v7())
}

/// Looks at the jobs again and again until the newest one is in this state.
pub(crate) async fn pass_until(world: &World, scheduler: &Scheduler, state: &str) {
    let waited = async {
        loop {
            scheduler.pass(true).await;
            if world.state().await == state {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(20), waited).await;
    assert!(came.is_ok(), "not {state} but {:?}", world.job().await);
}

fn record(scope: Scope, first_number: u64, previous: Option<Digest>, at: Timestamp) -> Record {
    Record {
        id: RecordId::from_uuid(uuid_v7()),
        scope,
        epoch: 1,
        first_number,
        previous_digest: previous,
        accepted_at: at,
        idempotency_key: None,
        events: vec![event(at), event(at)],
    }
}

fn event(ts: Timestamp) -> AuditEvent {
    AuditEvent {
        uri: "/".to_owned(),
        ..AuditEvent::new(
            EventId::from_uuid(uuid_v7()),
            ts,
            Detail::Access(Access {
                method: "GET".to_owned(),
                status_code: 200,
                query: String::new(),
            }),
        )
    }
}
