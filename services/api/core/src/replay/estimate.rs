//! What a job would send, before anything is sent; and which jobs it overlaps.

use std::time::Duration;

use auditrelay_model::replay::{Job, Jobs, Tally};
use auditrelay_model::{Scope, Window};
use serde::Serialize;

use super::JobWish;

/// What was counted, and how long it is likely to take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    /// What was counted.
    pub tally: Tally,
    /// All of it was.
    pub exact: bool,
    /// Most events that can be selected.
    pub events_max: u64,
    /// How long it is likely to take.
    pub duration: Duration,
    /// The rate that this rests on.
    pub events_per_second: f64,
    /// The rate was measured on an earlier job.
    pub is_rate_measured: bool,
}

/// An estimate on the wire.
#[derive(Debug, PartialEq, Serialize)]
pub struct EstimateView {
    /// Whose log: `org` or a portal's id.
    pub scope: String,
    /// First instant.
    pub start_at: String,
    /// Last instant.
    pub end_at: String,
    /// Events that would be sent: all of them if `exact`, else at least so many.
    pub events: u64,
    /// Their bytes as they are stored.
    pub stored_bytes: u64,
    /// About as many bytes as the requests would have before compression.
    pub body_bytes: u64,
    /// Requests, when each takes as much as it may.
    pub batches: u64,
    /// Everything was counted.
    pub exact: bool,
    /// No more events than this.
    pub events_max: u64,
    /// How long it is likely to take, once it runs.
    pub eta_seconds: u64,
    /// Events a second that the time rests on.
    pub events_per_second: u64,
    /// `measured` on an earlier job of this log, or `assumed`.
    pub rate: &'static str,
    /// Jobs whose windows overlap this one.
    pub overlaps: Vec<Overlap>,
    /// Jobs of this log that would have to end before it.
    pub jobs_before: usize,
}

/// A job whose window overlaps another's.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// How far it is.
    pub state: &'static str,
    /// First instant.
    pub start_at: String,
    /// Last instant.
    pub end_at: String,
    /// Events that it has sent.
    pub events_sent: u64,
}

impl EstimateView {
    /// An estimate of this wish.
    pub fn of(scope: Scope, wish: &JobWish, counted: &Counted, jobs: &Jobs) -> Self {
        let Tally { events, bytes, body_bytes, batches } = counted.tally;
        let under_way = usize::from(jobs.living().is_some());
        Self {
            scope: scope.token(),
            start_at: wish.window.start().to_string(),
            end_at: wish.window.end().to_string(),
            events,
            stored_bytes: bytes,
            body_bytes,
            batches,
            exact: counted.exact,
            events_max: counted.events_max,
            eta_seconds: u64::try_from(counted.duration.as_millis().div_ceil(1_000))
                .unwrap_or(u64::MAX),
            events_per_second: whole(counted.events_per_second),
            rate: if counted.is_rate_measured { "measured" } else { "assumed" },
            overlaps: overlaps(jobs, wish.window, None),
            jobs_before: under_way + jobs.waiting.len(),
        }
    }
}

/// The jobs of a log that touch a window, the newest first: those that are under way, wait, or have
/// sent something. `but` is left out.
pub fn overlaps(jobs: &Jobs, window: Window, but: Option<&Job>) -> Vec<Overlap> {
    let but = but.map(|job| job.id);
    let touching = jobs.all().rev().filter(|job| {
        Some(job.id) != but
            && job.window.touches(window.start(), window.end())
            && (!job.is_ended() || job.progress().events_sent > 0)
    });
    touching
        .map(|job| Overlap {
            id: job.id.to_string(),
            name: job.terms.name.clone(),
            state: job.state_name(),
            start_at: job.window.start().to_string(),
            end_at: job.window.end().to_string(),
            events_sent: job.progress().events_sent,
        })
        .collect()
}

/// A rate is finite and not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` ends at the bounds of the integer"
)]
fn whole(rate: f64) -> u64 {
    rate.round() as u64
}
