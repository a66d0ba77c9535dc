//! Answers the api.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::delivery::Lane;
use auditrelay_model::replay::{Progress, Terms};
use auditrelay_model::{Scope, Window};
use auditrelay_replay_scheduler_core::{Action, Command, Denial};
use auditrelay_runtime::lifecycle::Drain;
use auditrelay_runtime::telemetry::continue_trace;
use auditrelay_streams::{
    Commands, ExecuteError, Incoming, ReadError, ReplayAction, ReplayCommand, ReplayReply,
};
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::estimate::ESTIMATED_WITHIN;
use crate::planner::Order;
use crate::scheduler::{Asker, Scheduler};

/// Commands that are carried out at the same time; more wait at the broker's client.
const COMMANDS_AT_ONCE: usize = 32;

/// An answer that comes later than this is of no use to anybody.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How soon to listen again after the subscription ended.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

impl Scheduler {
    /// Answers commands until the soft stop; those at hand are finished.
    pub(crate) async fn serve(self, drain: Drain) {
        let room = Arc::new(Semaphore::new(COMMANDS_AT_ONCE));
        loop {
            let listened = tokio::select! {
                () = drain.soft.cancelled() => return,
                listened = self.streams.listen::<ReplayCommand>() => listened,
            };
            match listened {
                Ok(commands) => self.serve_from(commands, &room, &drain).await,
                Err(error) => tracing::warn!(%error, "commands can not be listened to"),
            }
            tokio::select! {
                () = drain.soft.cancelled() => return,
                () = tokio::time::sleep(AGAIN_AFTER) => {}
            }
        }
    }

    async fn serve_from(
        &self,
        mut commands: Commands<ReplayCommand>,
        room: &Arc<Semaphore>,
        drain: &Drain,
    ) {
        loop {
            let Ok(permit) = Arc::clone(room).acquire_owned().await else { return };
            // Both arms only wait, so that a dropped one loses nothing.
            let incoming = tokio::select! {
                () = drain.soft.cancelled() => return,
                incoming = commands.next() => incoming,
            };
            let Some(incoming) = incoming else { return };
            let scheduler = self.clone();
            drain.spawn("replay command", async move {
                scheduler.reply(incoming).await;
                drop(permit);
            });
        }
    }

    async fn reply(&self, incoming: Incoming<ReplayCommand>) {
        let span = tracing::info_span!(
            "replay_job.command",
            otel.name = "process audit.command.replay",
            otel.kind = "server",
            messaging.system = "nats",
            messaging.operation.name = "process",
            messaging.operation.type = "process",
            messaging.destination.name = "audit.command.replay",
            scope = %incoming.command.scope,
            auditrelay.replay.job_id = %incoming.command.job,
        );
        if let Some(traceparent) = &incoming.command.traceparent {
            continue_trace(&span, traceparent);
        }
        async {
            let answer = self.answer(&incoming.command).await;
            incoming.reply(&answer).await;
        }
        .instrument(span)
        .await;
    }

    /// Carries a command out and says what came of it.
    pub async fn answer(&self, command: &ReplayCommand) -> ReplayReply {
        let reply = match &command.action {
            ReplayAction::Estimate { window, terms } => {
                self.answer_estimate(command.scope, *window, terms.clone()).await
            }
            ReplayAction::Configure { .. }
            | ReplayAction::Pause { .. }
            | ReplayAction::Resume
            | ReplayAction::Cancel { .. } => self.answer_change(command).await,
        };
        self.telemetry.answered(&reply);
        reply
    }

    async fn answer_change(&self, command: &ReplayCommand) -> ReplayReply {
        let carried_out = tokio::time::timeout(ANSWER_WITHIN, self.carry_out(command)).await;
        match carried_out {
            Ok(Ok(sequence)) => ReplayReply::Stored { sequence },
            Ok(Err(ExecuteError::Denied(denial))) => {
                ReplayReply::Denied { code: denial.code().to_owned(), detail: denial.to_string() }
            }
            Ok(Err(
                error @ (ExecuteError::Unavailable(_)
                | ExecuteError::Contended
                | ExecuteError::Newer),
            )) => ReplayReply::Unavailable(error.to_string()),
            Err(_) => ReplayReply::Unavailable("it took too long".to_owned()),
        }
    }

    async fn answer_estimate(&self, scope: Scope, window: Window, terms: Terms) -> ReplayReply {
        let Ok(_turn) = self.estimates.try_acquire() else {
            return ReplayReply::Unavailable("too much is being estimated".to_owned());
        };
        let estimated = async {
            let snapshot_sequence = self.streams.events_state().await?.last_sequence;
            self.estimate(&Order { scope, window, terms, snapshot_sequence }).await
        };
        match tokio::time::timeout(ESTIMATED_WITHIN + ANSWER_WITHIN, estimated).await {
            Ok(Ok(estimate)) => ReplayReply::Estimated(estimate),
            Ok(Err(error)) => ReplayReply::Unavailable(error.to_string()),
            Err(_) => ReplayReply::Unavailable("it took too long".to_owned()),
        }
    }

    async fn carry_out(&self, command: &ReplayCommand) -> Result<u64, ExecuteError<Denial>> {
        let action = match &command.action {
            ReplayAction::Configure { window, terms, may_wait } => {
                // Asked of the leader: everything that was acknowledged before is part of the job.
                let now = self.streams.events_state().await.map_err(|error| unavailable(&error))?;
                Action::Configure {
                    window: *window,
                    terms: terms.clone(),
                    snapshot_sequence: now.last_sequence,
                    may_wait: *may_wait,
                }
            }
            ReplayAction::Pause { reason } => Action::Pause { reason: reason.clone() },
            ReplayAction::Resume => Action::Resume,
            ReplayAction::Cancel { reason } => {
                let lane = self.delivery.get(&(command.scope, Lane::Replay(command.job)));
                Action::Cancel { reason: reason.clone(), progress: Progress::of(&lane.state) }
            }
            ReplayAction::Estimate { .. } => return Ok(0),
        };
        let decision = Command { job: command.job, action };
        let asker = Asker { actor: &command.actor, origin: command.origin.as_ref() };
        let (sequence, _) = self.execute(command.scope, &decision, asker).await?;
        Ok(sequence)
    }
}

fn unavailable<D>(error: &ReadError) -> ExecuteError<D> {
    ExecuteError::Unavailable(error.to_string())
}
