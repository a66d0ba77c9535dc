//! Commands, their answers and their races.

use std::time::Duration;

use auditrelay_model::{Clock, Window};
use auditrelay_replay_scheduler::{Config, start};
use auditrelay_streams::{ReplayAction, ReplayReply};
use futures::future::join_all;

use crate::support::{World, job_id, pass_until, world};

fn denied(reply: &ReplayReply) -> Option<&str> {
    match reply {
        ReplayReply::Denied { code, .. } => Some(code),
        ReplayReply::Stored { .. } | ReplayReply::Estimated(_) | ReplayReply::Unavailable(_) => {
            None
        }
    }
}

fn other_window(world: &World, hours: u64) -> Window {
    let now = world.clock.now();
    Window::stored(now - Duration::from_hours(hours), now)
}

#[tokio::test]
async fn a_second_job_while_one_is_running_is_denied() {
    let world = world().await;
    let sequences = world.records(2).await;
    let scheduler = world.scheduler().await;
    let job = world.configured(&scheduler).await;
    pass_until(&world, &scheduler, "pending").await;
    world.delivered(job, 1, 2, sequences[0]).await;
    pass_until(&world, &scheduler, "running").await;
    let reply = scheduler.answer(&world.configure(other_window(&world, 5))).await;
    assert_eq!(denied(&reply), Some("running"));
    assert_eq!(world.job().await.unwrap().id, job);
}

#[tokio::test]
async fn the_same_request_again_is_answered_and_makes_no_second_job() {
    let world = world().await;
    world.records(1).await;
    let scheduler = world.scheduler().await;
    let command = world.configure(world.window());
    let first = scheduler.answer(&command).await;
    assert_eq!(scheduler.answer(&command).await, first);
    let retried = world.configure(world.window());
    assert_eq!(scheduler.answer(&retried).await, first);
    assert_eq!(world.job().await.unwrap().id, command.job);
}

#[tokio::test]
async fn a_job_that_is_cancelled_says_why_and_another_one_can_not_be() {
    let world = world().await;
    world.records(1).await;
    let scheduler = world.scheduler().await;
    let cancel = |job| world.command(job, ReplayAction::Cancel { reason: "enough".to_owned() });
    assert_eq!(denied(&scheduler.answer(&cancel(job_id())).await), Some("no_such_job"));
    let job = world.configured(&scheduler).await;
    pass_until(&world, &scheduler, "pending").await;
    assert_eq!(denied(&scheduler.answer(&cancel(job_id())).await), Some("no_such_job"));
    let reply = scheduler.answer(&cancel(job)).await;
    assert!(matches!(reply, ReplayReply::Stored { .. }), "{reply:?}");
    assert_eq!(world.state().await, "cancelled");
    scheduler.pass(false).await;
    assert!(!world.has_consumer(job).await);
}

#[tokio::test]
async fn many_requests_to_two_schedulers_make_one_job_after_another() {
    let world = world().await;
    world.records(1).await;
    let schedulers = [world.scheduler().await, world.scheduler().await];
    let commands: Vec<_> =
        (1..=6).map(|hours| world.configure(other_window(&world, hours))).collect();
    let answers = commands.iter().zip(schedulers.iter().cycle());
    let answers = join_all(answers.map(|(command, scheduler)| scheduler.answer(command))).await;
    let stored: Vec<_> = answers
        .iter()
        .filter_map(|answer| match answer {
            ReplayReply::Stored { sequence } => Some(*sequence),
            ReplayReply::Denied { .. }
            | ReplayReply::Estimated(_)
            | ReplayReply::Unavailable(_) => None,
        })
        .collect();
    assert_eq!(stored.len(), 6, "{answers:?}");
    // Each replaced the one before: the newest fact on the subject is the newest job's.
    let winner = answers.iter().position(|answer| {
        *answer == ReplayReply::Stored { sequence: *stored.iter().max().unwrap() }
    });
    assert_eq!(world.job().await.unwrap().id, commands[winner.unwrap()].job);
}

#[tokio::test]
async fn two_schedulers_record_each_step_once() {
    let world = world().await;
    let sequences = world.records(2).await;
    let (one, two) = (world.scheduler().await, world.scheduler().await);
    let job = world.configured(&one).await;
    let steps = async |count: usize| {
        let (a, b) = tokio::join!(one.step(world.scope), two.step(world.scope));
        let recorded = a.unwrap().len() + b.unwrap().len();
        assert_eq!(recorded, count, "{:?}", world.job().await);
    };
    // The other one may not have heard of the job yet; then it has nothing to do.
    steps(1).await;
    assert_eq!(world.state().await, "pending");
    world.delivered(job, 1, 2, sequences[0]).await;
    steps(1).await;
    assert_eq!(world.state().await, "running");
    world.delivered(job, 3, 4, sequences[1]).await;
    steps(1).await;
    assert_eq!(world.state().await, "completed");
}

#[tokio::test]
async fn the_service_answers_over_the_broker_and_carries_jobs_through() {
    let world = world().await;
    let sequences = world.records(2).await;
    start(Config::default(), world.streams.clone(), world.context.clone()).await.unwrap();
    let ready = async {
        while !world.context.readiness.missing().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ready).await.unwrap();

    let command = world.configure(world.window());
    let mut reply = Err(auditrelay_streams::ReadError::Unavailable(String::new()));
    for _ in 0..20 {
        // The subscription may be on its way still; the job's id makes asking again safe.
        reply = world.streams.ask(&command, Duration::from_secs(2)).await;
        if reply.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(matches!(reply, Ok(ReplayReply::Stored { .. })), "{reply:?}");
    becomes(&world, "pending").await;
    world.delivered(command.job, 1, 2, sequences[0]).await;
    becomes(&world, "running").await;
    world.delivered(command.job, 3, 4, sequences[1]).await;
    becomes(&world, "completed").await;
    assert_eq!(
        world.context.drain.stop(Duration::from_secs(5)).await,
        auditrelay_runtime::lifecycle::Stopped::Clean
    );
    let metrics = world.context.metrics.encode();
    for line in [
        "auditrelay_replay_jobs{state=\"completed\"} 1",
        "auditrelay_replay_events_total{outcome=\"sent\"} 4",
        "auditrelay_replay_transitions_total{to=\"completed\"} 1",
        "auditrelay_replay_commands_total{answer=\"stored\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

async fn becomes(world: &World, state: &str) {
    let waited = async {
        while world.state().await != state {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(20), waited).await;
    assert!(came.is_ok(), "not {state} but {:?}", world.job().await);
}
