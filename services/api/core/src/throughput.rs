//! What a lane did in each of a row of equal spans of time.
//!
//! Every fact carries what the lane had done in total after it. So the first fact behind each
//! border tells what had been done before that border, and the differences are what was done
//! between: exact, however much happened, at the price of one fact a border.

use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::delivery::{DeliveryEvent, LaneState, Totals};

/// A row of equal spans; the last one is not over yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// How long each is.
    pub span: Duration,
    /// How many there are.
    pub count: u32,
}

/// The last hour, in spans of two minutes.
pub const HOUR: Row = Row { span: Duration::from_mins(2), count: 30 };
/// The last day, in spans of an hour.
pub const DAY: Row = Row { span: Duration::from_hours(1), count: 24 };

/// What was done in one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its first instant.
    pub start: Timestamp,
    /// What was done from there to the next part's start.
    pub done: Totals,
}

impl Row {
    /// Where each span begins; they begin at whole multiples of their length, so that they stay
    /// where they are while time goes on.
    pub fn borders(self, now: Timestamp) -> Vec<Timestamp> {
        let span = i64::try_from(self.span.as_nanos()).unwrap_or(i64::MAX).max(1);
        let last = now.nanos().div_euclid(span).saturating_mul(span);
        let begins = (0..i64::from(self.count)).rev().map(|back| last - back * span);
        begins.map(Timestamp::from_nanos).collect()
    }
}

/// The parts, from the borders, the first fact at or behind each, and what has been done by now.
pub fn parts(borders: &[(Timestamp, Option<DeliveryEvent>)], now: Totals) -> Vec<Part> {
    let begun = borders.iter().map(|(_, fact)| fact.as_ref().map_or(now, before));
    let ended = begun.clone().skip(1).chain([now]);
    let done = begun.zip(ended).map(|(begun, ended)| minus(ended, begun));
    borders.iter().zip(done).map(|((start, _), done)| Part { start: *start, done }).collect()
}

/// What the lane had done before a fact.
fn before(event: &DeliveryEvent) -> Totals {
    let own = LaneState::default().evolve(event.at, &event.fact).totals;
    minus(event.state.totals, own)
}

fn minus(more: Totals, less: Totals) -> Totals {
    Totals {
        events_delivered: more.events_delivered.saturating_sub(less.events_delivered),
        events_passed: more.events_passed.saturating_sub(less.events_passed),
        events_quarantined: more.events_quarantined.saturating_sub(less.events_quarantined),
        events_expired: more.events_expired.saturating_sub(less.events_expired),
        bytes_delivered: more.bytes_delivered.saturating_sub(less.bytes_delivered),
        requests: more.requests.saturating_sub(less.requests),
        requests_failed: more.requests_failed.saturating_sub(less.requests_failed),
    }
}

#[cfg(test)]
mod tests {
    use auditrelay_model::Scope;
    use auditrelay_model::delivery::{Attempt, DeliveryFact, Lane};
    use auditrelay_model::destination::LogFormat;
    use auditrelay_model::id::{BatchId, DestinationId, OrgId};
    use auditrelay_model::record::Position;
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    /// Requests at these seconds, each with so many events; failed ones have none.
    fn lane(requests: &[(i64, u64)]) -> Vec<DeliveryEvent> {
        let (mut state, mut number) = (LaneState::default(), 0);
        let facts = requests.iter().map(|(second, events)| {
            let place = |number| Position { epoch: 1, number, sequence: number };
            let attempt = Attempt {
                batch: BatchId::from_uuid(Uuid::nil()),
                number: 1,
                first: place(number + 1),
                last: place(number + events),
                events: *events,
                body_bytes: events * 100,
                started_at: at(*second),
                duration: Duration::ZERO,
                destination: DestinationId::from_uuid(Uuid::nil()),
                log_format: LogFormat::Cef,
                delivered: *events > 0,
                status: None,
                message: String::new(),
                sent: None,
                runs: Vec::new(),
                trace_id: String::new(),
            };
            number += events;
            let fact = DeliveryFact::Attempt(Box::new(attempt));
            state = std::mem::take(&mut state).evolve(at(*second), &fact);
            let scope = Scope::Organization(OrgId::from_uuid(Uuid::nil()));
            let (sender, state) = ("s".to_owned(), state.clone());
            DeliveryEvent { at: at(*second), scope, lane: Lane::Live, sender, fact, state }
        });
        facts.collect()
    }

    fn told(facts: &[DeliveryEvent], row: Row, now: Timestamp) -> Vec<(u64, u64)> {
        let first = |border: Timestamp| facts.iter().find(|fact| fact.at >= border).cloned();
        let borders = row.borders(now).into_iter().map(|border| (border, first(border)));
        let totals = facts.last().map(|fact| fact.state.totals).unwrap_or_default();
        let parts = parts(&borders.collect::<Vec<_>>(), totals);
        parts.iter().map(|part| (part.done.events_delivered, part.done.requests_failed)).collect()
    }

    const ROW: Row = Row { span: Duration::from_secs(10), count: 4 };

    #[test]
    fn each_request_counts_in_its_own_span() {
        let facts = lane(&[(1, 7), (60, 5), (69, 2), (70, 0), (85, 3)]);
        assert_eq!(told(&facts, ROW, at(91)), [(7, 0), (0, 1), (3, 0), (0, 0)]);
        assert_eq!(told(&facts, ROW, at(1_000)), [(0, 0); 4]);
        assert_eq!(told(&[], ROW, at(91)), [(0, 0); 4]);
    }

    #[test]
    fn a_request_before_the_row_is_not_in_it() {
        let facts = lane(&[(1, 7), (59, 5), (95, 1)]);
        assert_eq!(told(&facts, ROW, at(99)), [(0, 0), (0, 0), (0, 0), (1, 0)]);
    }

    #[test]
    fn borders_stay_where_they_are() {
        let starts = |now| -> Vec<i64> {
            ROW.borders(at(now)).iter().map(|at| at.millis() / 1_000).collect()
        };
        assert_eq!(starts(91), [60, 70, 80, 90]);
        assert_eq!(starts(99), [60, 70, 80, 90]);
        assert_eq!(HOUR.borders(at(7_200)).len(), 30);
    }
}
