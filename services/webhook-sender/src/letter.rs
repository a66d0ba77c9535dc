//! A batch as it goes over the wire: written, signed and compressed.
//!
//! This is work for a processor: off the threads that serve sockets, and so many at a time as
//! there are slots. Slots are given in the order in which they are asked for, and a lane asks for
//! a batch or two at a time: no lane waits for more than one round of the others.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use auditrelay_format::{Vendor, render_placed, seal_line};
use auditrelay_model::delivery::Lane;
use auditrelay_model::destination::LogFormat;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_signing::SigningKey;
use auditrelay_signing::manifest::{Delivery, Writing};
use auditrelay_webhook_sender_core::batch::Batch;
use bytes::Bytes;
use tokio::time::Instant;

use crate::gzip::gzip;
use crate::headers::unix_seconds;
use crate::sender::Sender;

/// The signed time of a letter that was written ahead may be so old.
const FRESH: Duration = Duration::from_secs(30);

/// What is to be written.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) batch: Batch,
    pub(crate) scope: Scope,
    pub(crate) lane: Lane,
    pub(crate) format: LogFormat,
}

/// A body that is ready to go.
#[derive(Debug)]
pub(crate) struct Letter {
    /// Compressed.
    pub(crate) body: Bytes,
    /// Bytes before compression.
    pub(crate) body_bytes: usize,
    /// Signs the body before compression with the time below.
    pub(crate) signature: String,
    /// What is in it, signed.
    pub(crate) manifest: String,
    pub(crate) at: Timestamp,
    written: Instant,
}

impl Letter {
    pub(crate) fn is_fresh(&self) -> bool {
        self.written.elapsed() < FRESH
    }
}

/// What came of a draft.
#[derive(Debug)]
pub(crate) enum Written {
    Whole(Letter),
    /// All of it would be larger than the cap; only so many events fit.
    Part {
        fits: usize,
    },
}

/// Writes a draft.
pub(crate) async fn write(sender: Arc<Sender>, draft: Draft) -> anyhow::Result<Written> {
    let budget = sender.budget(draft.lane);
    // Live delivery keeps a slot of its own where there are two.
    let of_replays = match budget {
        Some(budget) => Some(Arc::clone(&budget.cpu).acquire_owned().await?),
        None => None,
    };
    let slot = Arc::clone(&sender.cpu).acquire_owned().await?;
    let span = tracing::info_span!("render and sign", events = draft.batch.events);
    let work = move || {
        let _slots = (slot, of_replays);
        let _entered = span.enter();
        let begun = Instant::now();
        let pen = Pen {
            key: sender.keys.signing.current(),
            vendor: &sender.config.vendor,
            bytes_max: sender.config.policy.batch.bytes,
        };
        let written = pen.write(&draft, sender.now());
        if let Written::Whole(letter) = &written {
            let (events, bytes) = (draft.batch.events, letter.body_bytes);
            sender.telemetry.wrote(draft.lane, events, bytes, begun.elapsed());
        }
        written
    };
    tokio::task::spawn_blocking(work).await.context("the batch could not be written")
}

struct Pen<'a> {
    key: &'a SigningKey,
    vendor: &'a Vendor,
    bytes_max: usize,
}

impl Pen<'_> {
    fn write(&self, draft: &Draft, at: Timestamp) -> Written {
        let mut body = String::with_capacity(draft.batch.weight);
        let mut manifest = Writing::default();
        for (index, (place, event)) in draft.batch.placed().enumerate() {
            let line = render_placed(event, draft.scope, place, draft.format, self.vendor);
            let signature = self.key.sign(line.as_bytes());
            let line = seal_line(line, draft.format, &signature);
            if index > 0 && body.len() + 1 + line.len() > self.bytes_max {
                return Written::Part { fits: index };
            }
            if index > 0 {
                body.push('\n');
            }
            body.push_str(&line);
            manifest.event((place.epoch, place.number), &event.id.to_string());
        }
        if let Some(record) = draft.batch.slices.last().map(|slice| &slice.record)
            && let Some(digest) = &record.previous_digest
        {
            manifest.chain((record.epoch, record.first_number), digest);
        }
        let id = message_id(&draft.batch);
        let signature = self.key.sign_webhook(&id, unix_seconds(at), body.as_bytes());
        Written::Whole(Letter {
            body: gzip(body.as_bytes()),
            body_bytes: body.len(),
            signature,
            manifest: manifest.sign(self.key, delivery(draft, id, at)),
            at,
            written: Instant::now(),
        })
    }
}

/// The request's id: the same over all attempts of a batch.
pub(crate) fn message_id(batch: &Batch) -> String {
    format!("msg_{}", batch.id)
}

fn delivery(draft: &Draft, id: String, at: Timestamp) -> Delivery {
    Delivery {
        id,
        org_id: draft.scope.org().to_string(),
        portal_id: draft.scope.portal().map(|portal| portal.to_string()),
        job: match draft.lane {
            Lane::Live => None,
            Lane::Replay(job) => Some(job.to_string()),
        },
        sent_at: unix_seconds(at),
    }
}
