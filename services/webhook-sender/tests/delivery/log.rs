//! The log of one scope, with one writer.

use std::sync::Mutex;
use std::time::Duration;

use auditrelay_model::id::RecordId;
use auditrelay_model::record::{Digest, Record};
use auditrelay_model::{Clock, Scope};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::ids::uuid_v7;
use auditrelay_streams::Streams;

use crate::builders::event;

pub(crate) struct Log {
    pub(crate) scope: Scope,
    streams: Streams,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    ids: Vec<String>,
    /// Sequence and digest of the last record, when it is known.
    end: Option<(u64, Option<Digest>)>,
    /// Events that are in no record which can be read.
    torn: u64,
}

impl Log {
    pub(crate) fn new(scope: Scope, streams: Streams) -> Self {
        Self { scope, streams, written: Mutex::default() }
    }

    /// Ids of the events, in order.
    pub(crate) fn appended(&self) -> Vec<String> {
        self.written.lock().unwrap().ids.clone()
    }

    /// The numbers of so many events that are stored as nonsense, as a record's head has them.
    pub(crate) fn torn(&self, events: usize) -> String {
        let first = self.next_number();
        let count = u64::try_from(events).unwrap();
        let mut written = self.written.lock().unwrap();
        (written.torn, written.end) = (written.torn + count, None);
        format!("1.{first}.{}", first + count - 1)
    }

    fn next_number(&self) -> u64 {
        let written = self.written.lock().unwrap();
        u64::try_from(written.ids.len()).unwrap() + written.torn + 1
    }

    /// Stores a record of so many events; returns their ids.
    pub(crate) async fn append(&self, events: usize) -> Vec<String> {
        let (sequence, digest) = self.end().await;
        let now = SystemClock.now();
        let record = Record {
            id: RecordId::from_uuid(uuid_v7()),
            scope: self.scope,
            epoch: 1,
            first_number: self.next_number(),
            previous_digest: digest,
            accepted_at: now,
            idempotency_key: None,
            events: (0..events).map(|_| event(now)).collect(),
        };
        let stored = self.streams.append_record(&record, sequence).await.unwrap();
        let ids: Vec<String> = record.events.iter().map(|event| event.id.to_string()).collect();
        let mut written = self.written.lock().unwrap();
        written.end = Some((stored.sequence, Some(stored.digest)));
        written.ids.extend(ids.clone());
        ids
    }

    /// Sequence and digest of the last record.
    async fn end(&self) -> (u64, Option<Digest>) {
        if let Some(known) = self.written.lock().unwrap().end {
            return known;
        }
        loop {
            if let Ok(place) = self.streams.last_place(self.scope).await {
                let last = self.streams.last_record(self.scope).await.ok().flatten();
                let sequence = place.map_or(0, |place| place.sequence);
                return (sequence, last.map(|last| last.digest));
            }
            // While the broker is away.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
