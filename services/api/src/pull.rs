//! Gathers a page of a log from the broker: the start is found by time or by the cursor's own
//! place, and no more is read than the page needs.

use std::time::Duration;

use auditrelay_api_core::audit_log::{At, Backward, Forward, Look, Page, Peek, Wish};
use auditrelay_model::Scope;
use auditrelay_model::reach::Reach;
use auditrelay_model::record::Position;
use auditrelay_streams::{Backwards, Fetched, ReadError, Streams, patiently};
use tokio::time::Instant;

/// Records asked for at once, at most.
const BATCH_MAX: usize = 500;

/// After this long a page ends with what it has, so that the next request gets on.
const PATIENCE: Duration = Duration::from_secs(3);

/// No page.
pub(crate) enum Trouble {
    /// The broker does not answer, or what it has cannot be read.
    Unread(ReadError),
    /// What the cursor stands beside is gone.
    Expired,
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        Self::Unread(error)
    }
}

impl Trouble {
    fn passes(&self) -> bool {
        match self {
            Self::Unread(error) => error.passes(),
            Self::Expired => false,
        }
    }
}

/// The page that is wished for.
pub(crate) async fn page(streams: &Streams, scope: Scope, wish: Wish) -> Result<Page, Trouble> {
    patiently(|| wished(streams, scope, wish.clone()), Trouble::passes).await
}

async fn wished(streams: &Streams, scope: Scope, wish: Wish) -> Result<Page, Trouble> {
    match wish.at {
        At::Start => forward(streams, scope, wish, None).await,
        At::After(after) => forward(streams, scope, wish, Some(after)).await,
        At::Before(before) => backward(streams, scope, wish, before).await,
    }
}

/// The newest page of a wish's window, whatever place the wish names.
pub(crate) async fn newest(streams: &Streams, scope: Scope, wish: Wish) -> Result<Page, Trouble> {
    patiently(|| newest_of_a_replica(streams, scope, wish.clone()), Trouble::passes).await
}

async fn newest_of_a_replica(
    streams: &Streams,
    scope: Scope,
    mut wish: Wish,
) -> Result<Page, Trouble> {
    let ends = Reach::default().ends(wish.window);
    let behind = streams.first_record_at(scope, ends).await?;
    let before = match behind {
        Some(head) => {
            Position { epoch: head.epoch, number: head.first_number, sequence: head.sequence }
        }
        None => match streams.last_head(scope).await? {
            Some(last) => {
                let Position { epoch, number, sequence } = last.end();
                Position { epoch, number: number.saturating_add(1), sequence }
            }
            None => return Ok(Page::default()),
        },
    };
    let begins = Reach::default().begins(wish.window);
    if streams.first_record_at(scope, begins).await?.is_none() {
        return Ok(Page::default());
    }
    wish.at = At::Before(before);
    // The newest record has not expired: who does not find it lags.
    backward(streams, scope, wish, before).await.map_err(|trouble| match trouble {
        Trouble::Expired => lagging(),
        Trouble::Unread(_) => trouble,
    })
}

async fn forward(
    streams: &Streams,
    scope: Scope,
    wish: Wish,
    after: Option<Position>,
) -> Result<Page, Trouble> {
    let (reach, kind, size) = (Reach::default(), wish.kind, wish.size);
    let (begins, begun) = (reach.begins(wish.window), Instant::now());
    let mut gather = Forward::new(wish, reach);
    // From the leader; the other reads may be answered by a replica that lags behind.
    let newest = match (streams.last_head(scope).await?, after) {
        (Some(newest), _) => newest,
        (None, None) => return Ok(gather.finish()),
        (None, Some(_)) => return Err(Trouble::Expired),
    };
    let mut from = match after {
        Some(after) if after.sequence > newest.sequence => return Err(Trouble::Expired),
        Some(after) => after.sequence,
        None => match streams.first_record_at(scope, begins).await? {
            Some(first) => first.sequence,
            None if newest.stored_at < begins => return Ok(gather.finish()),
            None => return Err(lagging()),
        },
    };
    // As many records as the page needs if they are like the newest; more if they are not.
    let each = newest.last_number - newest.first_number + 1;
    let mut batch = size / usize::try_from(each).unwrap_or(usize::MAX) + 2;
    while from <= newest.sequence {
        let (records, more) = streams.records_from(scope, from, batch).await?;
        for record in &records {
            from = record.head.sequence + 1;
            let peek = peek(record, kind);
            match gather.look(&peek) {
                Look::Skip => {}
                Look::Decode => gather.take(&peek, events(record)),
                Look::Done => return Ok(gather.finish()),
                Look::Expired => return Err(Trouble::Expired),
            }
        }
        if !more && from <= newest.sequence {
            return Err(lagging());
        }
        batch = (batch * 2).min(BATCH_MAX);
        if begun.elapsed() > PATIENCE {
            gather.rest();
            break;
        }
    }
    Ok(gather.finish())
}

async fn backward(
    streams: &Streams,
    scope: Scope,
    wish: Wish,
    before: Position,
) -> Result<Page, Trouble> {
    let (reach, kind, begun) = (Reach::default(), wish.kind, Instant::now());
    let first = streams.first_record_at(scope, reach.begins(wish.window)).await?;
    let first = first.ok_or(Trouble::Expired)?;
    let mut gather = Backward::new(wish, before, reach);
    let mut way = Backwards::new(first.sequence, before.sequence);
    while !way.is_done() {
        let records = streams.records_back(scope, &mut way).await?;
        for record in records.iter().rev() {
            let peek = peek(record, kind);
            match gather.look(&peek) {
                Look::Skip => {}
                Look::Decode => gather.take(&peek, events(record)),
                Look::Done => return Ok(gather.finish()),
                Look::Expired => return Err(Trouble::Expired),
            }
        }
        if gather.has_met() && begun.elapsed() > PATIENCE {
            gather.rest();
            break;
        }
    }
    if gather.has_met() { Ok(gather.finish()) } else { Err(Trouble::Expired) }
}

fn lagging() -> Trouble {
    let reason = "a replica does not hold the newest record yet".to_owned();
    Trouble::Unread(ReadError::Unavailable(reason))
}

/// None of a record that cannot be read: who reads a log is not to be kept from the rest of it.
fn events(record: &Fetched) -> Vec<auditrelay_model::event::AuditEvent> {
    match record.decode() {
        Ok(decoded) => decoded.events,
        Err(error) => {
            tracing::error!(sequence = record.head.sequence, %error, "a record is left out");
            Vec::new()
        }
    }
}

fn peek(record: &Fetched, kind: Option<auditrelay_model::event::EventKind>) -> Peek {
    let head = &record.head;
    Peek {
        sequence: head.sequence,
        stored_at: head.stored_at,
        epoch: head.epoch,
        first_number: head.first_number,
        last_number: head.last_number,
        ts_min: head.ts_min,
        ts_max: head.ts_max,
        bytes: record.len(),
        may_hold: kind.is_none_or(|kind| record.may_hold(kind)),
    }
}
