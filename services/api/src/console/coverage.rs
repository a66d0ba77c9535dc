//! What of a log is held: the last seven days, one bar a day, and how full the storage is.

use askama::Template;
use askama::filters::HtmlSafe;
use auditrelay_api_core::lag::Held;
use auditrelay_api_core::throughput::Row;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_runtime::problem::Problem;
use auditrelay_streams::{ReadError, RecordHead, StreamName, Streams};
use futures::future::try_join_all;
use std::time::Duration;

use super::chart::{Bar, Chart};
use super::moment::{self, Moment, bytes, count};
use crate::api::Api;
use crate::problems;

/// The seven days, and what is left of the eighth.
const WEEK: Row = Row { span: Duration::from_hours(24), count: 8 };

/// What is held of one log.
#[derive(Template)]
#[template(path = "coverage.html")]
pub(super) struct Coverage {
    days: Chart,
    events: String,
    oldest: Option<Moment>,
    newest: Option<Moment>,
    held_since: Option<Moment>,
    storage: String,
    full: bool,
}

impl HtmlSafe for Coverage {}

impl Coverage {
    pub(super) async fn read(api: &Api, scope: Scope) -> Result<Self, Problem> {
        Self::gather(api, scope).await.map_err(|error| problems::unread(&error))
    }

    async fn gather(api: &Api, scope: Scope) -> Result<Self, ReadError> {
        let (streams, now) = (&api.streams, api.now());
        let borders = WEEK.borders(now);
        let firsts = borders.iter().map(|border| first(streams, scope, *border));
        let (observed, firsts, beginning, newest) = tokio::try_join!(
            streams.observe(StreamName::Events),
            try_join_all(firsts),
            first(streams, scope, Timestamp::from_nanos(0)),
            newest(streams, scope),
        )?;
        let all = borders.into_iter().zip(firsts).collect::<Vec<_>>();
        let held = beginning.zip(newest).map_or(0, |(oldest, newest)| between(oldest, newest));
        let (storage, full) =
            storage(observed.as_ref().map(|observed| {
                (observed.state.bytes, u64::try_from(observed.spec.max_bytes).ok())
            }));
        let oldest = observed.and_then(|observed| observed.state.oldest);
        Ok(Self {
            days: days(&all, newest),
            events: count(held),
            oldest: beginning.map(|held| Moment::new(held.stored_at, now)),
            newest: newest.map(|held| Moment::new(held.stored_at, now)),
            held_since: oldest.map(|at| Moment::new(at, now)),
            storage,
            full,
        })
    }
}

async fn first(
    streams: &Streams,
    scope: Scope,
    from: Timestamp,
) -> Result<Option<Held>, ReadError> {
    let head = streams.first_record_at(scope, from).await?;
    Ok(head.as_ref().map(held))
}

/// The log's newest record, from the leader.
pub(super) async fn newest(streams: &Streams, scope: Scope) -> Result<Option<Held>, ReadError> {
    let head = streams.last_head(scope).await?;
    Ok(head.as_ref().map(held))
}

pub(super) const fn held(head: &RecordHead) -> Held {
    Held {
        epoch: head.epoch,
        first_number: head.first_number,
        last_number: head.last_number,
        stored_at: head.stored_at,
    }
}

/// Events from one record's first to another's last; what an older life of the chain held is gone.
const fn between(oldest: Held, newest: Held) -> u64 {
    let begins = if oldest.epoch == newest.epoch { oldest.first_number } else { 1 };
    (newest.last_number + 1).saturating_sub(begins)
}

/// Numbers have no gap, so the first record behind each midnight tells how many came before it.
fn days(borders: &[(Timestamp, Option<Held>)], newest: Option<Held>) -> Chart {
    let behind =
        |held: Option<Held>| held.zip(newest).map_or(0, |(held, newest)| between(held, newest));
    let from = borders.iter().map(|(_, held)| behind(*held));
    let to = from.clone().skip(1).chain([0]);
    let bars = borders.iter().zip(from.zip(to)).map(|((start, _), (from, to))| Bar {
        label: moment::day(*start),
        good: from.saturating_sub(to),
        bad: 0,
    });
    Chart::of("Events kept, by day of storage", "Day (UTC)", ["Events", ""], bars.collect())
}

/// In words, and whether somebody should look.
fn storage(observed: Option<(u64, Option<u64>)>) -> (String, bool) {
    match observed {
        None => ("not set up yet".to_owned(), true),
        Some((used, Some(most))) if most > 0 => {
            let percent = used.saturating_mul(100) / most;
            (format!("{percent} % of {}", bytes(most)), percent >= 80)
        }
        Some((used, _)) => (format!("{}, without a limit", bytes(used)), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(epoch: u64, first_number: u64, last_number: u64) -> Held {
        Held { epoch, first_number, last_number, stored_at: Timestamp::from_nanos(0) }
    }

    #[test]
    fn days_are_told_from_numbers() {
        let day = |index: i64| Timestamp::from_nanos(index * 86_400_000_000_000);
        let newest = Some(held(1, 91, 100));
        let borders =
            [(day(0), Some(held(1, 11, 20))), (day(1), Some(held(1, 61, 70))), (day(2), None)];
        let chart = days(&borders, newest);
        let counts: Vec<u64> = chart.bars().iter().map(|bar| bar.good).collect();
        assert_eq!(counts, [50, 40, 0]);
    }

    #[test]
    fn storage_that_fills_up_is_pointed_out() {
        assert_eq!(storage(Some((50, Some(1_000)))), ("5 % of 1,000 B".to_owned(), false));
        assert!(storage(Some((800, Some(1_000)))).1);
        assert_eq!(storage(Some((9, None))), ("9 B, without a limit".to_owned(), false));
    }
}
