//! The requests that a lane sent.

use auditrelay_model::Timestamp;
use auditrelay_model::delivery::{Attempt, DeliveryEvent, Lane};
use serde::Serialize;

use crate::fault::{Fault, Wrong};
use crate::query::Query;

const SIZE: usize = 20;
const SIZE_MAX: u64 = 100;

/// How many attempts a query asks for.
pub fn parse_size(query: &Query) -> Result<usize, Vec<Fault>> {
    let fault = |wrong| Err(vec![Fault::query("page[size]", wrong)]);
    match query.get("page[size]").map(str::parse::<u64>) {
        None => Ok(SIZE),
        Some(Err(_)) => fault(Wrong::Type("integer")),
        Some(Ok(0)) => fault(Wrong::Min(1)),
        Some(Ok(size)) if size > SIZE_MAX => fault(Wrong::Max(SIZE_MAX)),
        Some(Ok(size)) => Ok(usize::try_from(size).unwrap_or(SIZE)),
    }
}

/// Which attempts are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// How many.
    pub size: usize,
    /// On which lane.
    pub lane: Lane,
    /// Only those before this one; none begins with the newest.
    pub after: Option<u64>,
    /// Only those that were delivered, or that were not.
    pub delivered: Option<bool>,
    /// Only those that ended then or later.
    pub from: Option<Timestamp>,
    /// Only those that ended then or before.
    pub to: Option<Timestamp>,
}

impl Wish {
    /// Before anything is asked for: the newest of the live lane.
    pub const fn newest(size: usize) -> Self {
        Self { size, lane: Lane::Live, after: None, delivered: None, from: None, to: None }
    }

    /// Reads `page[size]`, `page[after]`, `filter[lane]`, `filter[outcome]` and `filter[at]`.
    pub fn parse(query: &Query) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut wish = Self::newest(parse_size(query).unwrap_or_else(|found| {
            faults.extend(found);
            SIZE
        }));
        let mut read = |name: &str, wrong: Wrong, take: &mut dyn FnMut(&str) -> bool| {
            if let Some(text) = query.get(name)
                && !take(text)
            {
                faults.push(Fault::query(name, wrong));
            }
        };
        read("page[after]", Wrong::Cursor, &mut |text| {
            wish.after = text.parse().ok();
            wish.after.is_some()
        });
        read("filter[lane]", Wrong::Invalid("must be live or a replay job's id"), &mut |text| {
            let lane = if text == "live" { Some(Lane::Live) } else { job(text) };
            wish.lane = lane.unwrap_or(Lane::Live);
            lane.is_some()
        });
        read("filter[outcome]", Wrong::Choices(OUTCOMES), &mut |text| {
            wish.delivered = OUTCOMES.contains(&text).then_some(text == "delivered");
            wish.delivered.is_some()
        });
        read("filter[at][gte]", Wrong::DateTime, &mut |text| {
            wish.from = Timestamp::parse_rfc3339(text).ok();
            wish.from.is_some()
        });
        read("filter[at][lte]", Wrong::DateTime, &mut |text| {
            wish.to = Timestamp::parse_rfc3339(text).ok();
            wish.to.is_some()
        });
        if faults.is_empty() { Ok(wish) } else { Err(faults) }
    }

    /// Whether a fact tells of such an attempt.
    pub fn wants(&self, event: &DeliveryEvent) -> bool {
        let Some(attempt) = event.fact.attempt() else { return false };
        self.delivered.is_none_or(|wanted| wanted == attempt.delivered)
            && self.from.is_none_or(|from| event.at >= from)
            && self.to.is_none_or(|to| event.at <= to)
    }

    /// Whether everything before the fact is too old.
    pub fn is_over(&self, event: &DeliveryEvent) -> bool {
        self.from.is_some_and(|from| event.at < from)
    }
}

const OUTCOMES: &[&str] = &["delivered", "failed"];

fn job(text: &str) -> Option<Lane> {
    text.parse().ok().map(Lane::Replay)
}

/// One request on our own wire.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// Its name.
    pub id: String,
    /// `live`, or the replay job.
    pub lane: String,
    /// When it ended.
    pub at: String,
    /// How long it took.
    pub duration_ms: u64,
    /// The same over all attempts of a batch.
    pub batch_id: String,
    /// 1 for the batch's first attempt.
    pub attempt: u32,
    /// Where it went.
    pub destination_id: String,
    /// How the batch was written.
    pub log_format: &'static str,
    /// The life of the chain that the numbers belong to.
    pub epoch: u64,
    /// Number of the first event.
    pub first_number: u64,
    /// Number of the last event.
    pub last_number: u64,
    /// How many events.
    pub events: u64,
    /// Bytes before compression.
    pub body_bytes: u64,
    /// Whether the receiver took it.
    pub delivered: bool,
    /// HTTP status; none when no answer came.
    pub status: Option<u16>,
    /// First bytes of the answer, or the error.
    pub message: String,
    /// W3C trace id; none when it is not traced.
    pub trace_id: Option<String>,
}

impl View {
    /// The request that a fact tells of; none for other facts.
    pub fn of(id: u64, event: &DeliveryEvent) -> Option<Self> {
        event.fact.attempt().map(|attempt| Self::shown(id, event, attempt))
    }

    fn shown(id: u64, event: &DeliveryEvent, attempt: &Attempt) -> Self {
        Self {
            id: id.to_string(),
            lane: event.lane.token(),
            at: event.at.to_string(),
            duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
            batch_id: attempt.batch.to_string(),
            attempt: attempt.number,
            destination_id: attempt.destination.to_string(),
            log_format: attempt.log_format.name(),
            epoch: attempt.first.epoch,
            first_number: attempt.first.number,
            last_number: attempt.last.number,
            events: attempt.events,
            body_bytes: attempt.body_bytes,
            delivered: attempt.delivered,
            status: attempt.status,
            message: attempt.message.clone(),
            trace_id: Some(attempt.trace_id.clone()).filter(|id| !id.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auditrelay_model::Scope;
    use auditrelay_model::delivery::{DeliveryFact, LaneState};
    use auditrelay_model::destination::LogFormat;
    use auditrelay_model::id::{BatchId, DestinationId, JobId, OrgId};
    use auditrelay_model::record::Position;
    use uuid::Uuid;

    use super::*;

    fn parse(raw: &str) -> Result<Wish, Vec<Fault>> {
        Wish::parse(&Query::parse(Some(raw)))
    }

    fn told(second: i64, fact: DeliveryFact) -> DeliveryEvent {
        DeliveryEvent {
            at: Timestamp::from_nanos(second * 1_000_000_000),
            scope: Scope::Organization(OrgId::from_uuid(Uuid::nil())),
            lane: Lane::Live,
            sender: "s".to_owned(),
            fact,
            state: LaneState::default(),
        }
    }

    fn attempt(second: i64, delivered: bool) -> DeliveryEvent {
        let attempt = Attempt {
            batch: BatchId::from_uuid(Uuid::nil()),
            number: 1,
            first: Position::default(),
            last: Position::default(),
            events: 1,
            body_bytes: 1,
            started_at: Timestamp::default(),
            duration: Duration::ZERO,
            destination: DestinationId::from_uuid(Uuid::nil()),
            log_format: LogFormat::Cef,
            delivered,
            status: None,
            message: String::new(),
            trace_id: String::new(),
            sent: None,
            runs: Vec::new(),
        };
        told(second, DeliveryFact::Attempt(Box::new(attempt)))
    }

    #[test]
    fn what_is_asked_for_is_wanted_and_nothing_else() {
        let [from, to] = ["[gte]=1970-01-01T00:00:02Z", "[lte]=1970-01-01T00:00:04Z"];
        let bounds = format!("filter[at]{from}&filter[at]{to}");
        for (raw, wanted) in [
            ("", "1 2 3 4 5"),
            ("filter[outcome]=delivered", "2 4"),
            ("filter[outcome]=failed", "1 3 5"),
            (&format!("filter[at]{from}"), "2 3 4 5"),
            (&format!("filter[at]{to}"), "1 2 3 4"),
            (&bounds, "2 3 4"),
            (&format!("{bounds}&filter[outcome]=failed"), "3"),
        ] {
            let wish = parse(raw).unwrap();
            let found: Vec<String> = (1..=5)
                .filter(|second| wish.wants(&attempt(*second, second % 2 == 0)))
                .map(|second| second.to_string())
                .collect();
            assert_eq!(found.join(" "), wanted, "{raw}");
            assert!(!wish.wants(&told(3, DeliveryFact::CaughtUp)), "no attempt");
        }
        let wish = parse(&bounds).unwrap();
        let over = [1, 2, 3].map(|second| wish.is_over(&attempt(second, true)));
        assert_eq!(over, [true, false, false]);
        assert!(!parse("").unwrap().is_over(&attempt(1, true)));
    }

    #[test]
    fn every_part_of_a_query_is_read_or_told() {
        let job = "3e551b39-227d-4297-b911-e68fd5d77c17";
        let wish = parse(&format!("page[size]=100&page[after]=7&filter[lane]={job}")).unwrap();
        let lane = Lane::Replay(job.parse::<JobId>().unwrap());
        assert_eq!(wish, Wish { after: Some(7), lane, ..Wish::newest(100) });
        assert_eq!(parse("filter[lane]=live"), Ok(Wish::newest(20)));
        for (raw, field, wrong) in [
            ("page[size]=0", "page[size]", Wrong::Min(1)),
            ("page[size]=101", "page[size]", Wrong::Max(100)),
            ("page[size]=x", "page[size]", Wrong::Type("integer")),
            ("page[after]=x", "page[after]", Wrong::Cursor),
            ("filter[lane]=x", "filter[lane]", Wrong::Invalid("must be live or a replay job's id")),
            ("filter[outcome]=x", "filter[outcome]", Wrong::Choices(OUTCOMES)),
            ("filter[at][gte]=x", "filter[at][gte]", Wrong::DateTime),
            ("filter[at][lte]=x", "filter[at][lte]", Wrong::DateTime),
        ] {
            assert_eq!(parse(raw), Err(vec![Fault::query(field, wrong)]), "{raw}");
        }
    }
}
