//! One attempt: writes a batch, signs it, sends it, and says what came of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use auditrelay_format::{Vendor, render_placed, seal_line};
use auditrelay_model::destination::Destination;
use auditrelay_model::id::JobId;
use auditrelay_model::{Scope, Timestamp};
use auditrelay_runtime::telemetry::{link, trace_id};
use auditrelay_signing::SigningKey;
use auditrelay_signing::manifest::{Delivery, Writing};
use auditrelay_webhook_sender_core::batch::Batch;
use auditrelay_webhook_sender_core::lane::{Request, Tried};
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use tracing::{Instrument, Span, field};
use url::Url;

use crate::gzip::gzip;
use crate::headers::{self, ATTEMPT, FIRST_ATTEMPT, MANIFEST, REPLAY_JOB, Stamp, unix_seconds};
use crate::sender::Sender;
use crate::transport::Outgoing;

/// Most events whose traces a batch's span is linked to.
const LINKS_MAX: usize = 128;

/// A batch and where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) request: Request,
    pub(crate) scope: Scope,
    pub(crate) destination: Arc<Destination>,
    /// The replay job that it belongs to.
    pub(crate) job: Option<JobId>,
}

/// What came of a parcel.
#[derive(Debug)]
pub(crate) enum Sent {
    /// Its body would be larger than the cap; only so many events fit. Nothing was sent.
    TooLarge { fits: usize },
    /// It was sent.
    Tried(Tried),
}

/// A body that is ready to go.
struct Letter {
    body: Bytes,
    signature: String,
    manifest: String,
}

enum Written {
    Whole(Letter),
    Part { fits: usize },
}

/// Sends a parcel once.
pub(crate) async fn send(sender: Arc<Sender>, parcel: Parcel) -> Sent {
    let batch = &parcel.request.batch;
    let span = tracing::info_span!(
        "process",
        otel.kind = "consumer",
        scope = %parcel.scope,
        batch.id = %batch.id,
        messaging.batch.message_count = batch.events,
    );
    let traces: BTreeSet<&str> = batch
        .iter()
        .map(|event| event.traceparent.as_str())
        .filter(|traceparent| !traceparent.is_empty())
        .take(LINKS_MAX)
        .collect();
    for traceparent in traces {
        link(&span, traceparent);
    }
    carry(sender, parcel).instrument(span).await
}

async fn carry(sender: Arc<Sender>, parcel: Parcel) -> Sent {
    let sent_at = sender.now();
    let letter = match write(&sender, &parcel, sent_at).await {
        Ok(Written::Part { fits }) => return Sent::TooLarge { fits },
        Ok(Written::Whole(letter)) => letter,
        Err(error) => return Sent::Tried(unsent(sent_at, &error)),
    };
    let (method, events) = ("POST", parcel.request.batch.events);
    let span = tracing::info_span!(
        "POST",
        otel.kind = "client",
        http.request.method = method,
        server.address = host(&parcel.destination.endpoint),
        http.request.resend_count = parcel.request.attempt - 1,
        events,
        http.response.status_code = field::Empty,
        error.type = field::Empty,
    );
    Sent::Tried(post(sender, parcel, letter, sent_at).instrument(span).await)
}

async fn post(sender: Arc<Sender>, parcel: Parcel, letter: Letter, sent_at: Timestamp) -> Tried {
    let body_bytes = letter.body.len() as u64;
    let trace_id = trace_id().unwrap_or_default();
    let headers = match headers(&sender, &parcel, &letter, sent_at) {
        Ok(headers) => headers,
        Err(error) => return unsent(sent_at, &error),
    };
    let outgoing = Outgoing {
        org: parcel.scope.org(),
        url: parcel.destination.endpoint.clone(),
        tls: parcel.destination.tls,
        headers,
        body: gzip(letter.body).await,
        deadline: sender.config.request_deadline,
    };
    // The wait for a slot is ours, not the receiver's.
    let slot = sender.requests.acquire().await;
    let started_at = sender.now();
    let begun = Instant::now();
    let outcome = sender.transport.post(outgoing).await;
    drop(slot);
    match &outcome {
        Outcome::Answered { status, .. } => {
            Span::current().record("http.response.status_code", status);
        }
        Outcome::Failed { message, .. } => {
            Span::current().record("error.type", message.as_str());
        }
    }
    Tried { outcome, started_at, duration: begun.elapsed(), body_bytes, trace_id }
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

/// Rendering and signing are work for a processor: off the threads that serve sockets, bounded.
async fn write(sender: &Arc<Sender>, parcel: &Parcel, at: Timestamp) -> anyhow::Result<Written> {
    let slot = Arc::clone(&sender.cpu).acquire_owned().await?;
    let sender = Arc::clone(sender);
    let parcel = parcel.clone();
    let span = Span::current();
    let work = move || {
        let _slot = slot;
        let _entered = span.enter();
        let pen = Pen {
            key: sender.keys.signing.current(),
            vendor: &sender.config.vendor,
            bytes_max: sender.config.policy.batch.bytes,
        };
        pen.write(&parcel, at)
    };
    tokio::task::spawn_blocking(work).await.context("the batch could not be written")
}

struct Pen<'a> {
    key: &'a SigningKey,
    vendor: &'a Vendor,
    bytes_max: usize,
}

impl Pen<'_> {
    fn write(&self, parcel: &Parcel, at: Timestamp) -> Written {
        let format = parcel.destination.log_format;
        let mut body = String::new();
        let mut manifest = Writing::default();
        for (index, (place, event)) in parcel.request.batch.placed().enumerate() {
            let line = render_placed(event, parcel.scope, place, format, self.vendor);
            let signature = self.key.sign(line.as_bytes());
            let line = seal_line(line, format, &signature);
            if index > 0 && body.len() + 1 + line.len() > self.bytes_max {
                return Written::Part { fits: index };
            }
            if index > 0 {
                body.push('\n');
            }
            body.push_str(&line);
            manifest.event((place.epoch, place.number), &event.id.to_string());
        }
        let id = message_id(&parcel.request.batch);
        let signature = self.key.sign_webhook(&id, unix_seconds(at), body.as_bytes());
        let manifest = manifest.sign(self.key, delivery(parcel, id, at));
        Written::Whole(Letter { body: body.into(), signature, manifest })
    }
}

fn headers(
    sender: &Sender,
    parcel: &Parcel,
    letter: &Letter,
    at: Timestamp,
) -> anyhow::Result<HeaderMap> {
    let message_id = message_id(&parcel.request.batch);
    let stamp = Stamp { message_id: &message_id, at, signature: &letter.signature };
    let mut headers = headers::headers(sender, &parcel.destination, &stamp)?;
    headers.insert(ATTEMPT, HeaderValue::from(parcel.request.attempt));
    if let Some(first) = first_attempt_at(&parcel.request.batch) {
        headers.insert(FIRST_ATTEMPT, HeaderValue::from_str(&first.to_string())?);
    }
    headers.insert(MANIFEST, HeaderValue::from_str(&letter.manifest)?);
    if let Some(job) = parcel.job {
        headers.insert(REPLAY_JOB, HeaderValue::from_str(&job.to_string())?);
    }
    Ok(headers)
}

fn delivery(parcel: &Parcel, id: String, at: Timestamp) -> Delivery {
    Delivery {
        id,
        org_id: parcel.scope.org().to_string(),
        portal_id: parcel.scope.portal().map(|portal| portal.to_string()),
        job: parcel.job.map(|job| job.to_string()),
        sent_at: unix_seconds(at),
    }
}

/// A batch is made when it is first sent, and its id says when that was.
fn first_attempt_at(batch: &Batch) -> Option<Timestamp> {
    let (seconds, nanos) = batch.id.uuid().get_timestamp()?.to_unix();
    let seconds = i64::try_from(seconds).ok()?;
    Some(Timestamp::from_nanos(seconds.checked_mul(1_000_000_000)?.checked_add(nanos.into())?))
}

fn message_id(batch: &Batch) -> String {
    format!("msg_{}", batch.id)
}

fn host(endpoint: &str) -> String {
    let url = Url::parse(endpoint).ok();
    url.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned()
}
