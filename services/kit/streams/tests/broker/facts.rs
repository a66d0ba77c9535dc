//! Facts: folded, decided on, appended by expectation; over a restart of the broker too.

use std::time::Duration;

use auditrelay_broker::{Broker, find_or_provide};
use auditrelay_model::config::{ConfigChange, ConfigEvent};
use auditrelay_model::delivery::{DeliveryEvent, DeliveryFact, Lane, LaneState};
use auditrelay_model::destination::LogFormat;
use auditrelay_model::event::EventKind;
use auditrelay_model::id::{CommandId, DestinationId, EventId, JobId, OrgId};
use auditrelay_model::record::Position;
use auditrelay_model::replay::{
    Plan, Progress, Remainder, ReplayEvent, ReplayFact, SentIds, Stretch, Tally, Target, Terms,
};
use auditrelay_model::{Timestamp, Window};
use auditrelay_runtime::ids::uuid_v7;
use auditrelay_streams::{
    AppendError, ConfigFold, DeliveryFold, ExecuteError, Projection, ReplayAction, ReplayCommand,
    ReplayFold, ReplayReply,
};

use crate::support::{World, scope, world};

const WAIT: Duration = Duration::from_secs(10);

fn named(name: &str) -> ConfigEvent {
    ConfigEvent {
        at: Timestamp::from_nanos(1),
        actor: "test".to_owned(),
        command: CommandId::from_uuid(uuid_v7()),
        changes: vec![ConfigChange::OrganizationCreated { name: name.to_owned() }],
        origin: None,
        summary: String::new(),
    }
}

fn config(world: &World) -> Projection<ConfigFold> {
    Projection::start(&world.streams, &world.stop, &world.tasks)
}

#[tokio::test]
async fn what_one_decides_the_other_reads_at_once() {
    let world = world().await;
    let (one, other) = (config(&world), config(&world));
    let org = OrgId::from_uuid(uuid_v7());
    for index in 0..20 {
        let name = format!("name {index}");
        one.execute(&org, |_| Ok::<_, ()>(vec![named(&name)])).await.unwrap();
        assert_eq!(other.read(&org).await.unwrap().state.name, Some(name));
    }
    other.caught_up(WAIT).await.unwrap();
    assert_eq!(other.all().len(), 1);
}

#[tokio::test]
async fn racing_decisions_are_made_one_after_another() {
    let world = world().await;
    let org = OrgId::from_uuid(uuid_v7());
    let projections: Vec<_> = (0..4).map(|_| config(&world)).collect();
    let first_wins = |projection: Projection<ConfigFold>| async move {
        projection
            .execute(&org, |state| match state.name {
                None => Ok(vec![named("taken")]),
                Some(_) => Err("too late"),
            })
            .await
    };
    let results = futures::future::join_all(projections.into_iter().map(first_wins)).await;
    let winners = results.iter().filter(|result| result.is_ok()).count();
    let denied =
        results.iter().filter(|result| matches!(result, Err(ExecuteError::Denied(_)))).count();
    assert_eq!((winners, denied), (1, 3));
}

#[tokio::test]
async fn a_projection_goes_on_after_the_broker_was_killed() {
    let world = world().await;
    let projection = config(&world);
    let org = OrgId::from_uuid(uuid_v7());
    projection.execute(&org, |_| Ok::<_, ()>(vec![named("before")])).await.unwrap();
    let again = world.broker.same_again();
    world.broker.kill().await;
    let broker = Broker::start(&find_or_provide().await.unwrap(), again).await.unwrap();
    let written = tokio::time::timeout(WAIT, async {
        loop {
            let written = projection.execute(&org, |_| Ok::<_, ()>(vec![named("after")])).await;
            if written.is_ok() {
                return;
            }
        }
    });
    written.await.expect("the broker is back, but nothing can be written");
    assert_eq!(projection.get(&org).state.name.as_deref(), Some("after"));
    drop(broker);
}

#[tokio::test]
async fn a_lane_has_one_owner_and_its_last_fact_tells_all() {
    let world = world().await;
    let (scope, lane) = (scope(), Lane::Replay(JobId::from_uuid(uuid_v7())));
    let fact = |events| DeliveryEvent {
        at: Timestamp::from_nanos(3),
        scope,
        lane,
        sender: "a".to_owned(),
        fact: DeliveryFact::Stopped { code: "gap".to_owned(), reason: format!("{events}") },
        state: LaneState {
            totals: auditrelay_model::delivery::Totals { requests: events, ..Default::default() },
            ..LaneState::default()
        },
    };
    assert_eq!(world.streams.last_delivery(scope, lane).await.unwrap(), None);
    let first = world.streams.append_delivery(&fact(1), 0).await.unwrap();
    assert_eq!(world.streams.append_delivery(&fact(9), 0).await, Err(AppendError::Conflict));
    let second = world.streams.append_delivery(&fact(2), first).await.unwrap();
    assert_eq!(world.streams.last_delivery(scope, lane).await.unwrap(), Some((fact(2), second)));
    let states = Projection::<DeliveryFold>::start(&world.streams, &world.stop, &world.tasks);
    states.caught_up(WAIT).await.unwrap();
    assert_eq!(states.get(&(scope, lane)).state.totals.requests, 2);
}

/// Terms that say something everywhere.
fn everything() -> Terms {
    let after = Position { epoch: 1, number: 2, sequence: 3 };
    Terms {
        name: Some("after the outage".to_owned()),
        kinds: vec![EventKind::Authorization],
        unacknowledged_only: true,
        target: Target {
            destination: Some(DestinationId::from_uuid(uuid_v7())),
            log_format: Some(LogFormat::Cef),
        },
        remainder: Some(Remainder { of: JobId::from_uuid(uuid_v7()), after: Some(after) }),
    }
}

#[tokio::test]
async fn what_is_asked_of_a_job_reads_as_it_was_stored() {
    let world = world().await;
    let jobs = Projection::<ReplayFold>::start(&world.streams, &world.stop, &world.tasks);
    let (scope, job) = (scope(), JobId::from_uuid(uuid_v7()));
    let window = Window::stored(Timestamp::from_nanos(1), Timestamp::from_nanos(2));
    let stretch = Stretch { epoch: 1, first: 4, last: 9 };
    let plan = Plan {
        from_sequence: 3,
        until_sequence: 9,
        estimated_events: 7,
        before: Some(Position { epoch: 1, number: 3, sequence: 2 }),
        numbers: Some([stretch].into()),
        tally: Some(Tally { events: 6, bytes: 600, body_bytes: 700, batches: 2 }),
    };
    let sent = SentIds::extend(None, [EventId::from_uuid(uuid_v7())]);
    let progress = Progress { events_sent: 1, cursor: plan.before, sent, ..Progress::default() };
    let terms = everything();
    let facts = vec![
        ReplayFact::Accepted { window, snapshot_sequence: 9, terms: terms.clone(), waits: false },
        ReplayFact::Scheduled(plan.clone()),
        ReplayFact::Started { holder: "a".to_owned() },
        ReplayFact::Paused { reason: "night".to_owned() },
        ReplayFact::Resumed,
        ReplayFact::Advanced(progress),
    ];
    let at = Timestamp::from_nanos(5);
    let event = |fact| ReplayEvent { at, scope, job, actor: "me".to_owned(), origin: None, fact };
    let events: Vec<_> = facts.into_iter().map(event).collect();
    jobs.execute(&scope, |_| Ok::<_, ()>(events.clone())).await.unwrap();
    let job = jobs.read(&scope).await.unwrap().state.newest.clone().unwrap();
    assert_eq!((&job.terms, job.plan(), job.progress()), (&terms, Some(&plan), progress));
    assert_eq!(job.steps.len(), 5);
}

#[tokio::test]
async fn a_command_gets_its_answer() {
    let world = world().await;
    let mut commands = world.streams.listen::<ReplayCommand>().await.unwrap();
    world.streams.flush().await.unwrap();
    let command = ReplayCommand {
        scope: scope(),
        job: JobId::from_uuid(uuid_v7()),
        actor: "me".to_owned(),
        traceparent: None,
        origin: None,
        action: ReplayAction::Configure {
            window: Window::stored(Timestamp::from_nanos(1), Timestamp::from_nanos(2)),
            terms: everything(),
            may_wait: true,
        },
    };
    let expected = command.clone();
    let serving = tokio::spawn(async move {
        let incoming = commands.next().await.unwrap();
        assert_eq!(incoming.command, expected);
        incoming.reply(&ReplayReply::Stored { sequence: 7 }).await;
    });
    let reply = world.streams.ask(&command, WAIT).await.unwrap();
    assert_eq!(reply, ReplayReply::Stored { sequence: 7 });
    serving.await.unwrap();
}
