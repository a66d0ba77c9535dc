//! One attempt: sends a letter, and says what came of it.

mod trace;

use std::sync::Arc;

use auditrelay_model::delivery::Lane;
use auditrelay_model::destination::Destination;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_runtime::telemetry::trace_id;
use auditrelay_streams::failpoint::{Step, reach};
use auditrelay_webhook_sender_core::lane::{Request, Tried};
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span};

use crate::destinations::Site;
use crate::headers::{self, ATTEMPT, FIRST_ATTEMPT, MANIFEST, REPLAY_JOB, Stamp};
use crate::letter::{self, Draft, Letter, Written, message_id};
use crate::sender::Sender;
use crate::transport::Outgoing;

/// A batch and where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) request: Request,
    pub(crate) scope: Scope,
    pub(crate) destination: Arc<Destination>,
    pub(crate) lane: Lane,
    pub(crate) site: Arc<Site>,
}

impl Parcel {
    pub(crate) fn draft(&self) -> Draft {
        Draft {
            batch: self.request.batch.clone(),
            scope: self.scope,
            lane: self.lane,
            format: self.destination.log_format,
        }
    }
}

/// A letter that is being written ahead; given up when it is dropped.
pub(crate) type Ahead = AbortOnDropHandle<anyhow::Result<Written>>;

/// What came of a parcel.
#[derive(Debug)]
pub(crate) enum Sent {
    /// Its body would be larger than the cap; only so many events fit. Nothing was sent.
    TooLarge { fits: usize },
    /// It was sent.
    Tried(Tried),
}

/// Sends a parcel once.
pub(crate) async fn send(sender: Arc<Sender>, parcel: Parcel, ahead: Option<Ahead>) -> Sent {
    let span = trace::process_span(&parcel);
    carry(&sender, &parcel, ahead).instrument(span).await.map_or_else(|unsent| unsent, Sent::Tried)
}

async fn carry(sender: &Arc<Sender>, parcel: &Parcel, ahead: Option<Ahead>) -> Result<Tried, Sent> {
    let mut letter = whole(sender, written(sender, parcel, ahead).await)?;
    // The wait for a turn is ours, not the receiver's.
    let rate = sender.rate(parcel.scope, parcel.destination.id);
    let pass = parcel.site.admit(parcel.lane, parcel.request.batch.events, rate).await;
    let slot = sender.requests.acquire().await;
    if !letter.is_fresh() {
        // A receiver takes a signed time that is long past for somebody's repetition.
        letter = whole(sender, letter::write(Arc::clone(sender), parcel.draft()).await)?;
    }
    let span = trace::request_span(parcel);
    let tried = post(sender, parcel, letter).instrument(span).await;
    drop((slot, pass));
    Ok(tried)
}

fn whole(sender: &Sender, written: anyhow::Result<Written>) -> Result<Letter, Sent> {
    match written {
        Ok(Written::Whole(letter)) => Ok(letter),
        Ok(Written::Part { fits }) => Err(Sent::TooLarge { fits }),
        Err(error) => Err(Sent::Tried(unsent(sender.now(), &error))),
    }
}

/// The letter that was written ahead, or one that is written now.
async fn written(
    sender: &Arc<Sender>,
    parcel: &Parcel,
    ahead: Option<Ahead>,
) -> anyhow::Result<Written> {
    if let Some(ahead) = ahead
        && let Ok(Ok(written)) = ahead.await
        && !matches!(&written, Written::Whole(letter) if !letter.is_fresh())
    {
        return Ok(written);
    }
    letter::write(Arc::clone(sender), parcel.draft()).await
}

async fn post(sender: &Sender, parcel: &Parcel, letter: Letter) -> Tried {
    let trace_id = trace_id().unwrap_or_default();
    let headers = match headers(sender, parcel, &letter) {
        Ok(headers) => headers,
        Err(error) => return unsent(letter.at, &error),
    };
    let outgoing = Outgoing {
        org: parcel.scope.org(),
        url: parcel.destination.endpoint.clone(),
        tls: parcel.destination.tls,
        headers,
        body: letter.body,
        deadline: sender.config.request_deadline,
    };
    let (started_at, begun) = (sender.now(), Instant::now());
    reach(Step::Sending);
    let outcome = sender.transport.post(outgoing).await;
    reach(Step::Sent);
    let duration = begun.elapsed();
    parcel.site.ended(&outcome, duration);
    trace::answered(&Span::current(), &outcome);
    sender.telemetry.requested(parcel.lane, duration);
    Tried { outcome, started_at, duration, body_bytes: letter.body_bytes as u64, trace_id }
}

/// An attempt that did not get as far as the network.
fn unsent(at: Timestamp, error: &anyhow::Error) -> Tried {
    Tried {
        outcome: Outcome::Failed { kind: FailureKind::Endpoint, message: format!("{error:#}") },
        started_at: at,
        duration: std::time::Duration::ZERO,
        body_bytes: 0,
        trace_id: String::new(),
    }
}

fn headers(sender: &Sender, parcel: &Parcel, letter: &Letter) -> anyhow::Result<HeaderMap> {
    let message_id = message_id(&parcel.request.batch);
    let stamp = Stamp { message_id: &message_id, at: letter.at, signature: &letter.signature };
    let mut headers = headers::headers(sender, &parcel.destination, &stamp)?;
    headers.insert(ATTEMPT, HeaderValue::from(parcel.request.attempt));
    let first = parcel.request.first_attempt_at.to_string();
    headers.insert(FIRST_ATTEMPT, HeaderValue::from_str(&first)?);
    headers.insert(MANIFEST, HeaderValue::from_str(&letter.manifest)?);
    if let Lane::Replay(job) = parcel.lane {
        headers.insert(REPLAY_JOB, HeaderValue::from_str(&job.to_string())?);
    }
    Ok(headers)
}
