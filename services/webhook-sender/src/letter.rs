//! A batch as it goes over the wire: written, signed and compressed, off the threads that serve
//! sockets.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use auditrelay_format::{render_placed, seal_line};
use auditrelay_model::delivery::Lane;
use auditrelay_model::destination::LogFormat;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_signing::SigningKey;
use auditrelay_signing::manifest::{Delivery, Writing};
use auditrelay_webhook_sender_core::batch::Batch;
use bytes::Bytes;
use futures::future::try_join_all;
use tokio::time::Instant;

use crate::gzip::gzip;
use crate::headers::unix_seconds;
use crate::sender::Sender;

/// The signed time of a letter that was written ahead may be so old.
const FRESH: Duration = Duration::from_secs(30);
/// Fewer lines are not worth a thread of their own: a millisecond of signing.
const SHEET_MIN: usize = 64;

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
    let span = tracing::info_span!("render and sign", events = draft.batch.events);
    let threads = sender.writing.of(draft.lane);
    let begun = Instant::now();
    let draft = Arc::new(draft);
    // Lines are written side by side where threads have nothing else to do.
    let together = draft.batch.events.div_ceil(threads.idle().max(1)).max(SHEET_MIN);
    let pen = Pen { sender: Arc::clone(&sender), draft: Arc::clone(&draft) };
    let mut sheets = Vec::new();
    if together < draft.batch.events {
        let starts = (0..draft.batch.events).step_by(together);
        let writing = starts.map(|start| {
            let (pen, span) = (pen.clone(), span.clone());
            threads.run(move || span.in_scope(|| pen.sheet(start..start + together)))
        });
        sheets = try_join_all(writing).await?;
    }
    let written = move || {
        let _entered = span.entered();
        if sheets.is_empty() {
            sheets.push(pen.sheet(0..pen.draft.batch.events));
        }
        let written = pen.letter(&sheets);
        if let Written::Whole(letter) = &written {
            let (events, bytes) = (draft.batch.events, letter.body_bytes);
            pen.sender.telemetry.wrote(draft.lane, events, bytes, begun.elapsed());
        }
        written
    };
    threads.run(written).await
}

/// Lines that follow each other.
struct Sheet {
    text: String,
    /// Where each line ends.
    ends: Vec<usize>,
}

#[derive(Clone)]
struct Pen {
    sender: Arc<Sender>,
    draft: Arc<Draft>,
}

impl Pen {
    fn key(&self) -> &SigningKey {
        self.sender.keys.signing.current()
    }

    /// Some of the batch's lines; fewer where they alone would be larger than the cap.
    fn sheet(&self, range: Range<usize>) -> Sheet {
        let Self { sender, draft } = self;
        let weight = draft.batch.weight / draft.batch.events.max(1) * range.len();
        let mut sheet = Sheet { text: String::with_capacity(weight), ends: Vec::new() };
        for (place, event) in draft.batch.placed().skip(range.start).take(range.len()) {
            let vendor = &sender.config.vendor;
            let line = render_placed(event, draft.scope, place, draft.format, vendor);
            let signature = self.key().sign(line.as_bytes());
            if !sheet.ends.is_empty() {
                sheet.text.push('\n');
            }
            sheet.text.push_str(&seal_line(line, draft.format, &signature));
            sheet.ends.push(sheet.text.len());
            if sheet.ends.len() > 1 && sheet.text.len() > sender.config.policy.batch.bytes {
                break;
            }
        }
        sheet
    }

    fn letter(&self, sheets: &[Sheet]) -> Written {
        let (sender, draft) = (&self.sender, &self.draft);
        if let Some(fits) = cut(sheets, sender.config.policy.batch.bytes) {
            return Written::Part { fits };
        }
        let texts: Vec<_> = sheets.iter().map(|sheet| sheet.text.as_str()).collect();
        let body = texts.join("\n");
        let (id, at) = (message_id(&draft.batch), sender.now());
        Written::Whole(Letter {
            body: gzip(body.as_bytes()),
            body_bytes: body.len(),
            signature: self.key().sign_webhook(&id, unix_seconds(at), body.as_bytes()),
            manifest: manifest(&draft.batch).sign(self.key(), delivery(draft, id, at)),
            at,
            written: Instant::now(),
        })
    }
}

/// How many lines fit where not all do; the first always does.
fn cut(sheets: &[Sheet], bytes_max: usize) -> Option<usize> {
    let (mut before, mut lines) = (0, 0);
    for sheet in sheets {
        for end in &sheet.ends {
            if lines > 0 && before + end > bytes_max {
                return Some(lines);
            }
            lines += 1;
        }
        before += sheet.text.len() + 1;
    }
    None
}

fn manifest(batch: &Batch) -> Writing {
    let mut manifest = Writing::default();
    for (place, event) in batch.placed() {
        manifest.event((place.epoch, place.number), &event.id.to_string());
    }
    if let Some(record) = batch.slices.last().map(|slice| &slice.record)
        && let Some(digest) = &record.previous_digest
    {
        manifest.chain((record.epoch, record.first_number), digest);
    }
    manifest
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_lines_fit_as_the_cap_has_room_for_and_one_always() {
        let sheet = |lines: &[&str]| Sheet {
            text: lines.join("\n"),
            ends: lines
                .iter()
                .scan(0, |end, line| {
                    *end += line.len() + usize::from(*end > 0);
                    Some(*end)
                })
                .collect(),
        };
        let sheets = [sheet(&["aa", "bb"]), sheet(&["cc", "dd"])];
        let body = "aa\nbb\ncc\ndd".len();
        assert_eq!(cut(&sheets, body), None);
        assert_eq!(cut(&sheets, body - 1), Some(3));
        assert_eq!(cut(&sheets, body - 3), Some(3));
        assert_eq!(cut(&sheets, body - 4), Some(2));
        assert_eq!(cut(&sheets, 5), Some(2));
        assert_eq!(cut(&sheets, 1), Some(1));
        assert_eq!(cut(&[sheet(&["aa"])], 1), None);
    }
}
