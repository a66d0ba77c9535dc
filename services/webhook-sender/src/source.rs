//! Where a lane that reads on its own gets its records.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::Scope;
use auditrelay_model::id::JobId;
use auditrelay_streams::{Pulled, ReadError, Reader, Streams};

use crate::memory::{Charge, Memory};
use crate::sender::Sender;

/// Records taken from the reader at once.
const TOGETHER: usize = 64;
/// Silence of this length from a reader with nothing pending means that all is read.
const SILENCE: Duration = Duration::from_millis(250);
/// How soon a reader that failed is made anew.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A lane's own reader, made when records are wanted.
pub(crate) struct Source {
    streams: Streams,
    scope: Scope,
    kind: Kind,
    reader: Option<Reader>,
    memory: Arc<Memory>,
    pulled: VecDeque<(Pulled, Charge)>,
    /// Nothing was behind the last record that was pulled, and nobody was told yet.
    at_end: bool,
    /// The oldest sequence that was held when the reader was made.
    oldest: u64,
}

enum Kind {
    /// A consumer that ends with its reader.
    Disposable { name: String },
    /// The durable consumer of a replay job.
    Replay(JobId),
}

impl Source {
    pub(crate) fn of_scope(sender: &Sender, scope: Scope) -> Self {
        let name = format!("behind-{}-{}", scope.org(), scope.token());
        Self::new(sender, scope, Kind::Disposable { name })
    }

    pub(crate) fn of_job(sender: &Sender, scope: Scope, job: JobId) -> Self {
        Self::new(sender, scope, Kind::Replay(job))
    }

    /// The records of a job whose consumer is ahead of its lane.
    pub(crate) fn of_torn_job(sender: &Sender, scope: Scope, job: JobId) -> Self {
        Self::new(sender, scope, Kind::Disposable { name: format!("again-{job}") })
    }

    fn new(sender: &Sender, scope: Scope, kind: Kind) -> Self {
        let (streams, memory) = (sender.streams.clone(), Arc::clone(&sender.memory));
        let pulled = VecDeque::new();
        Self { streams, scope, kind, reader: None, memory, pulled, at_end: false, oldest: 0 }
    }

    /// The next record, read from `sequence` on when the reader is new; none when everything there
    /// is has been read. Nothing is lost when this is dropped while it waits.
    pub(crate) async fn next(&mut self, sequence: u64) -> Option<(Pulled, Charge)> {
        loop {
            if let Some(next) = self.pulled.pop_front() {
                return Some(next);
            }
            if std::mem::take(&mut self.at_end) {
                return None;
            }
            match self.pull(sequence).await {
                Ok(true) => return None,
                Ok(false) => {}
                Err(error) => {
                    self.close();
                    tracing::debug!(%error, scope = %self.scope, "records are read anew");
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        }
    }

    /// True when there is nothing more.
    async fn pull(&mut self, sequence: u64) -> Result<bool, ReadError> {
        let reader = if let Some(reader) = &mut self.reader {
            reader
        } else {
            let held = self.streams.events_state().await?;
            // Behind the stream's end nothing was ever read: it was made anew.
            let from = if sequence > held.last_sequence { 1 } else { sequence };
            let reader = open(&self.streams, self.scope, &self.kind, from).await?;
            self.oldest = self.streams.events_state().await?.first_sequence;
            self.reader.insert(reader)
        };
        let most = if self.memory.is_crowded() { 1 } else { TOGETHER };
        let pulled = reader.next(most, SILENCE).await?;
        let nothing_more = reader.pending() == 0;
        self.at_end = nothing_more && !pulled.is_empty();
        let memory = &self.memory;
        let charged = pulled.into_iter().map(|pulled| {
            let charge = memory.charge(pulled.len());
            (pulled, charge)
        });
        self.pulled.extend(charged);
        Ok(nothing_more && self.pulled.is_empty())
    }

    /// The oldest sequence that was held when reading began.
    pub(crate) const fn oldest(&self) -> u64 {
        self.oldest
    }

    pub(crate) fn close(&mut self) {
        self.reader = None;
        self.pulled.clear();
        self.at_end = false;
    }
}

async fn open(
    streams: &Streams,
    scope: Scope,
    kind: &Kind,
    sequence: u64,
) -> Result<Reader, ReadError> {
    match kind {
        Kind::Disposable { name } => streams.scope_reader(name, scope, sequence).await,
        Kind::Replay(job) => streams
            .replay_reader(*job)
            .await?
            .ok_or_else(|| ReadError::Unavailable("the job has no consumer".to_owned())),
    }
}
