//! Follows the facts about organizations and stores the events that they become in the
//! organizations' own logs.
//!
//! A fact is acknowledged after its event is stored. Where one is handed out again, the log is
//! searched for its event from the fact's own time on, so that it is stored once, whoever was
//! killed at whatever moment.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_ingest_core::admit::Admitted;
use auditrelay_ingest_core::trail::{self, Place};
use auditrelay_model::event::AuditEvent;
use auditrelay_model::{Clock, Scope};
use auditrelay_runtime::lifecycle::Drain;
use auditrelay_streams::{
    AccessFold, ConfigFold, FactReader, Fold, ReadError, ReplayFold, StoredFact, Streams,
};
use tokio_util::sync::CancellationToken;

use crate::appender::Appender;
use crate::telemetry::Telemetry;

/// Under this name all instances of ingest share the work.
const NAME: &str = "trail";
/// How soon to begin again when the broker was away.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often the broker is told that a fact is still being dealt with.
const GOING_ON: Duration = Duration::from_secs(2);
/// Records that are looked at together.
const RECORDS: usize = 100;

/// What the trail works with; cheap to clone.
#[derive(Clone)]
pub(crate) struct Trail {
    pub(crate) streams: Streams,
    pub(crate) appender: Appender,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) telemetry: Telemetry,
    pub(crate) max_lateness: Duration,
}

/// What a fact becomes, if anything.
type Event<F> = fn(&StoredFact<F>) -> Option<(Scope, AuditEvent)>;

impl Trail {
    /// Follows until the soft stop.
    pub(crate) fn start(&self, drain: &Drain) {
        let soft = || drain.soft.clone();
        let task = self.clone().follow(soft(), |fact: &StoredFact<ConfigFold>| {
            let place = Place { org: fact.key, stream: "CONFIG", sequence: fact.sequence };
            Some((Scope::Organization(fact.key), trail::of_config(place, &fact.event)))
        });
        drain.spawn("trail of configuration", task);
        let task = self.clone().follow(soft(), |fact: &StoredFact<ReplayFold>| {
            let org = fact.key.org();
            let place = Place { org, stream: "REPLAY", sequence: fact.sequence };
            Some((Scope::Organization(org), trail::of_replay(place, &fact.event)?))
        });
        drain.spawn("trail of replays", task);
        let task = self.clone().follow(soft(), |fact: &StoredFact<AccessFold>| {
            let place = Place { org: fact.key, stream: "ACCESS", sequence: fact.sequence };
            Some((Scope::Organization(fact.key), trail::of_access(place, &fact.event)?))
        });
        drain.spawn("trail of denied calls", task);
    }

    async fn follow<F: Fold>(self, soft: CancellationToken, event: Event<F>) {
        loop {
            let ended = tokio::select! {
                () = soft.cancelled() => return,
                reader = self.streams.fact_reader::<F>(NAME) => match reader {
                    Ok(reader) => self.deal(reader, &soft, event).await,
                    Err(error) => Err(error),
                },
            };
            match ended {
                Ok(()) => return,
                Err(error) => tracing::debug!(stream = %F::STREAM, %error, "reading facts again"),
            }
            tokio::select! {
                () = soft.cancelled() => return,
                () = tokio::time::sleep(AGAIN_AFTER) => {}
            }
        }
    }

    async fn deal<F: Fold>(
        &self,
        mut reader: FactReader<F>,
        soft: &CancellationToken,
        event: Event<F>,
    ) -> Result<(), ReadError> {
        loop {
            let fact = tokio::select! {
                () = soft.cancelled() => return Ok(()),
                fact = reader.next() => fact?,
            };
            if let Some((scope, event)) = event(&fact) {
                self.keep(scope, event, &fact).await?;
            }
            fact.done().await;
        }
    }

    /// Stores a fact's event, unless it is stored already.
    async fn keep<F: Fold>(
        &self,
        scope: Scope,
        event: AuditEvent,
        fact: &StoredFact<F>,
    ) -> Result<(), ReadError> {
        if fact.again && self.is_stored(scope, &event, fact).await? {
            return Ok(());
        }
        let event = trail::in_reach(event, self.clock.now(), self.max_lateness);
        let admitted = Admitted { scope, event, supplied_id: true };
        let storing = self.appender.append(vec![(scope, vec![admitted])], None);
        tokio::pin!(storing);
        loop {
            let stored = tokio::select! {
                stored = &mut storing => stored,
                () = tokio::time::sleep(GOING_ON) => {
                    fact.going_on().await;
                    continue;
                }
            };
            return match stored {
                Ok(_) => {
                    self.telemetry.trailed(F::STREAM.as_str());
                    Ok(())
                }
                Err(failure) => Err(ReadError::Unavailable(failure.name().to_owned())),
            };
        }
    }

    /// Whether the log holds the event: whoever had the fact before may have stored it.
    async fn is_stored<F: Fold>(
        &self,
        scope: Scope,
        event: &AuditEvent,
        fact: &StoredFact<F>,
    ) -> Result<bool, ReadError> {
        let first = self.streams.first_record_at(scope, fact.stored_at).await?;
        let Some(mut from) = first.map(|first| first.sequence) else { return Ok(false) };
        loop {
            fact.going_on().await;
            let (records, more) = self.streams.records_from(scope, from, RECORDS).await?;
            for record in &records {
                from = record.head.sequence + 1;
                if !record.may_hold(event.kind()) {
                    continue;
                }
                // Whatever it was, it says nothing of this event.
                let Ok(decoded) = record.decode() else { continue };
                if decoded.events.iter().any(|stored| stored.id == event.id) {
                    return Ok(true);
                }
            }
            if !more || records.is_empty() {
                return Ok(false);
            }
        }
    }
}
