//! The recent past of a scope, as the stream has it.
//!
//! A request with ids of its own or an `Idempotency-Key` may be a repetition of one that another
//! instance stored, or this one before it was restarted. Before such a request is stored, the
//! writer reads what the scope stored within the duplicate window. Because an append succeeds only
//! behind the record that was read last, nothing can slip in between: a repetition is recognised
//! within the window, as long as no more than [`LOOK_BACK`] events of the scope lie in between.

use std::time::Duration;

use auditrelay_ingest_core::chain::Tip;
use auditrelay_ingest_core::recent::Recent;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_streams::{ReadError, RecordHead, Streams};

/// Ids that a scope remembers: more than are ever read again.
const REMEMBERED: usize = 16_384;
/// At most so many events of the past are read again; they may be as many records.
const LOOK_BACK: u64 = 4_096;
/// How many times shorter the window becomes when more events lie in it.
const NARROWER: u32 = 4;
/// How often the window is made shorter.
const ATTEMPTS: u32 = 4;

/// How much of the past is known.
pub(super) struct Past {
    pub(super) recent: Recent,
    window: Duration,
    needed: bool,
    /// Everything of the window up to here is known; none while nothing is.
    known: Option<Known>,
}

/// A record of the scope, or the place before its first one.
#[derive(Clone, Copy)]
struct Known {
    sequence: u64,
    number: u64,
}

impl Known {
    fn of(tip: Option<&Tip>) -> Self {
        let (sequence, number) = tip.map_or((0, 0), |tip| (tip.sequence, tip.last_number));
        Self { sequence, number }
    }
}

impl Past {
    pub(super) fn new(window: Duration) -> Self {
        let recent = Recent::new(window, REMEMBERED);
        Self { recent, window, needed: false, known: None }
    }

    /// A request came that may be a repetition: from now on the past is kept known.
    pub(super) const fn is_needed(&mut self) {
        self.needed = true;
    }

    /// What was stored last is not known.
    pub(super) const fn is_unknown(&mut self) {
        self.known = None;
    }

    /// This writer's own record was stored: what can be repeated of it is remembered already.
    pub(super) fn goes_on(&mut self, behind: u64, tip: &Tip) {
        if self.known.is_some_and(|known| known.sequence == behind) {
            self.known = Some(Known::of(Some(tip)));
        }
    }

    /// Learns what is not known yet, up to the end of the chain.
    pub(super) async fn learn(
        &mut self,
        streams: &Streams,
        scope: Scope,
        tip: Option<&Tip>,
        now: Timestamp,
    ) -> Result<(), ReadError> {
        if !self.needed {
            return Ok(());
        }
        if let Some(tip) = tip {
            let mut next = Some(self.begin(streams, scope, tip, now).await?);
            for _ in 0..LOOK_BACK {
                let sequence = next.filter(|sequence| *sequence <= tip.sequence);
                let Some(sequence) = sequence else { break };
                let stored = streams.next_readable_record(scope, sequence).await?;
                next = stored.map(|stored| {
                    self.recent.learn(now, &stored.record);
                    stored.sequence + 1
                });
            }
        }
        self.known = Some(Known::of(tip));
        Ok(())
    }

    /// Where to begin reading: behind what is known or, when that is nothing or long ago, at the
    /// window's first record.
    async fn begin(
        &self,
        streams: &Streams,
        scope: Scope,
        tip: &Tip,
        now: Timestamp,
    ) -> Result<u64, ReadError> {
        match self.known {
            Some(known) if tip.last_number.saturating_sub(known.number) <= LOOK_BACK => {
                Ok(known.sequence + 1)
            }
            Some(_) | None => {
                let head = self.begin_of_window(streams, scope, tip, now).await?;
                // A replica that lags may not have the newest records; the last one is known.
                Ok(head.map_or(tip.sequence, |head| head.sequence))
            }
        }
    }

    /// The first record of the window, or of its end where too many events lie in it.
    async fn begin_of_window(
        &self,
        streams: &Streams,
        scope: Scope,
        tip: &Tip,
        now: Timestamp,
    ) -> Result<Option<RecordHead>, ReadError> {
        let mut window = self.window;
        for _ in 1..ATTEMPTS {
            let Some(head) = streams.first_record_at(scope, now - window).await? else {
                return Ok(None);
            };
            let events = tip.last_number.saturating_sub(head.first_number);
            if head.epoch == tip.epoch && events <= LOOK_BACK {
                return Ok(Some(head));
            }
            window /= NARROWER;
        }
        streams.first_record_at(scope, now - window).await
    }
}
