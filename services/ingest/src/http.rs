//! `POST /v1/audit-events`, and the routes of the formats that platforms speak already.
//!
//! Checks come in this order, so that an unauthenticated caller learns nothing: method and path
//! (the router), credentials and role, media type, size, syntax, schema, meaning.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auditrelay_ingest_core::admit::{Admission, Admitted, Sorted, Tenant};
use auditrelay_ingest_core::privacy::Redaction;
use auditrelay_ingest_core::rejection::{Rejection, RejectionKind};
use auditrelay_ingest_core::request::Media;
use auditrelay_model::id::EventId;
use auditrelay_model::{Clock, Scope};
use auditrelay_runtime::problem::Problem;
use auditrelay_runtime::{ids, telemetry};
use auditrelay_signing::Pseudonyms;
use auditrelay_streams::failpoint::{Step, reach};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::HeaderMap;
use tokio::time::Instant;

use crate::appender::{Appender, Stored};
use crate::auth::{Producer, Producers};
use crate::config::Config;
use crate::quota::Gate;
use crate::room::{Room, Share};
use crate::telemetry::{Kinds, Telemetry};

mod answer;
mod media;
mod otlp;
mod unpack;

pub(crate) use answer::not_reachable;
use answer::{Accepted, failure, refusal};
use media::{Encoding, Route};
use unpack::{Unpackable, unpack};

/// Bodies up to this size are read where they arrive; larger ones are worth a thread change.
const SMALL: usize = 64 * 1_024;

/// What the handler works with.
pub(crate) struct Ingest {
    pub(crate) producers: Producers,
    pub(crate) appender: Appender,
    pub(crate) room: Room,
    pub(crate) gate: Gate,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) telemetry: Telemetry,
    pub(crate) config: Config,
}

/// What became of a request whose events are stored.
struct Taken {
    /// How the quotas stand.
    quotas: HeaderMap,
    accepted: Accepted,
    /// How many events are not stored, where the protocol allows that, and why.
    refused: usize,
    rejections: Vec<Rejection>,
}

pub(crate) fn routes(ingest: Ingest) -> Router {
    Router::new()
        .route("/v1/audit-events", post(audit_events))
        .route("/v1/http-log", post(http_log))
        .route("/v1/logs", post(logs))
        .with_state(Arc::new(ingest))
}

async fn audit_events(
    State(ingest): State<Arc<Ingest>>,
    request: Request,
) -> Result<(HeaderMap, Accepted), Problem> {
    let taken = ingest.take(Route::AuditEvents, request).await?;
    Ok((taken.quotas, taken.accepted))
}

async fn http_log(
    State(ingest): State<Arc<Ingest>>,
    request: Request,
) -> Result<(HeaderMap, Accepted), Problem> {
    let taken = ingest.take(Route::HttpLog, request).await?;
    Ok((taken.quotas, taken.accepted))
}

async fn logs(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    let wire = otlp::Wire::of(request.headers());
    match ingest.take(Route::Logs, request).await {
        Ok(taken) => (taken.quotas, wire.success(taken.refused, taken.rejections)).into_response(),
        Err(problem) => wire.failure(problem),
    }
}

/// Bytes that the body has at least.
fn announced(body: &Body) -> usize {
    usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX)
}

impl Ingest {
    /// Stores a request's events, all of them, or says why none of them is.
    async fn take(&self, route: Route, request: Request) -> Result<Taken, Problem> {
        let began = Instant::now();
        let (head, body) = request.into_parts();
        let producer = self.producers.authenticate(&head, self.clock.now()).await?;
        let payer = producer.payer();
        let (media, encoding) = media::of(route, &head.headers)?;
        self.gate.look(payer, announced(&body))?;
        let (body, share) = self.body(body, encoding).await?;
        let key = media::idempotency_key(&head.headers)?;
        let bytes = body.len();
        let Sorted { admitted, rejections, refused, .. } =
            self.admitted(producer, &media, body).await?;
        reach(Step::Parsed);
        let quotas = self.gate.take(payer, admitted.len(), bytes)?;
        let accepted = self.store(admitted, key, began).await;
        drop(share);
        Ok(Taken { quotas, accepted: accepted?, refused, rejections })
    }

    /// The unpacked body, and its share of the memory that all requests may use.
    async fn body(&self, body: Body, encoding: Encoding) -> Result<(Bytes, Share), Problem> {
        let (max, announced) = (self.config.max_body, announced(&body));
        if announced > max {
            return Err(Problem::payload_too_large(max));
        }
        let expected = if body.size_hint().exact().is_some() { announced } else { max };
        let mut share = self.room.share(expected).await?;
        let body = auditrelay_runtime::http::body(body, max, self.config.body_timeout).await?;
        let body = match encoding {
            Encoding::Identity => body,
            Encoding::Gzip | Encoding::Zstd => {
                self.unpacked(body, encoding, expected, &mut share).await?
            }
        };
        Ok((body, share))
    }

    async fn unpacked(
        &self,
        body: Bytes,
        encoding: Encoding,
        counted: usize,
        share: &mut Share,
    ) -> Result<Bytes, Problem> {
        let limit = self.config.max_unpacked;
        let _one_of_few = self.room.unpacking().await?;
        let unpacked = on_another_thread(move || unpack(&body, encoding, limit)).await?;
        let unpacked = unpacked.map_err(|error| match error {
            Unpackable::Damaged => Problem::unreadable_body(),
            Unpackable::TooLarge(limit) => Problem::payload_too_large(limit),
        })?;
        self.room.add(share, unpacked.len().saturating_sub(counted)).await?;
        Ok(unpacked.into())
    }

    /// The request's events. A portal that is not known here may have been made a moment ago on
    /// another replica: it is looked for once more before the request is refused.
    async fn admitted(
        &self,
        producer: Producer,
        media: &Media,
        body: Bytes,
    ) -> Result<Sorted, Problem> {
        let mut sorted = self.sort(&producer, media, &body).await?;
        if sorted.rejections.iter().any(|one| one.kind == RejectionKind::Reference) {
            let producer = self.producers.refreshed(&producer).await?;
            sorted = self.sort(&producer, media, &body).await?;
        }
        if sorted.rejections.is_empty() {
            return Ok(sorted);
        }
        self.telemetry.rejected(&sorted.rejections);
        if media.is_partial() && !sorted.unreadable {
            return Ok(sorted);
        }
        self.gate.spend(producer.payer(), body.len());
        Err(refusal(sorted.rejections))
    }

    async fn sort(
        &self,
        producer: &Producer,
        media: &Media,
        body: &Bytes,
    ) -> Result<Sorted, Problem> {
        let pseudonyms = self.pseudonyms(producer)?;
        let (producer, body, media) = (producer.clone(), body.clone(), media.clone());
        let (now, limits) = (self.clock.now(), self.config.limits);
        let traceparent = telemetry::traceparent().unwrap_or_default();
        let small = body.len() <= SMALL;
        let sort = move || {
            let tenant = Tenant { org: producer.org, portals: &producer.config.portals };
            let admission = Admission { now, limits: &limits, tenant, traceparent: &traceparent };
            let mut next_id = || EventId::from_uuid(ids::uuid_v7());
            let mut sorted = admission.sort(&body, &media, &mut next_id);
            let hash = |value: &str| pseudonyms.as_ref().map_or([0; 32], |all| all.of(value));
            let redaction = Redaction { privacy: &producer.config.privacy, hash: &hash };
            for one in &mut sorted.admitted {
                redaction.apply(&mut one.event);
            }
            sorted
        };
        if small { Ok(sort()) } else { on_another_thread(sort).await }
    }

    /// What hides the organization's values, where it wants that. Without a key nothing of it may
    /// be stored: it would be stored as it came.
    fn pseudonyms(&self, producer: &Producer) -> Result<Option<Pseudonyms>, Problem> {
        if !producer.config.privacy.hashes() {
            return Ok(None);
        }
        let Some(key) = &self.config.privacy_key else {
            tracing::error!(org = %producer.org, "ingest.privacy_key is not set: events of an organization that wants hashes are refused");
            let wait = Duration::from_mins(1);
            return Err(Problem::unavailable("Fields of this organization cannot be hashed", wait));
        };
        Ok(Some(Pseudonyms::derive(key.expose().trim().as_bytes(), &producer.org.to_string())))
    }

    /// Hands the events of each scope over and waits until all of them are stored.
    async fn store(
        &self,
        admitted: Vec<Admitted>,
        key: Option<String>,
        began: Instant,
    ) -> Result<Accepted, Problem> {
        let mut kinds = Kinds::default();
        for one in &admitted {
            kinds.count(&one.event);
        }
        let (places, scopes) = by_scope(admitted);
        match self.appender.append(scopes, key).await {
            Ok(stored) => {
                let duplicates = stored.iter().map(|one| one.duplicates).sum();
                self.telemetry.accepted(kinds, duplicates, began.elapsed());
                reach(Step::Answering);
                Ok(Accepted::new(&in_order(&places, stored), duplicates))
            }
            Err(reason) => {
                self.telemetry.failed(kinds, reason.name(), began.elapsed());
                Err(failure(reason))
            }
        }
    }
}

/// The events of each scope in order, and for each event of the request the place of its scope.
fn by_scope(admitted: Vec<Admitted>) -> (Vec<usize>, Vec<(Scope, Vec<Admitted>)>) {
    let mut known: BTreeMap<Scope, usize> = BTreeMap::new();
    let mut scopes: Vec<(Scope, Vec<Admitted>)> = Vec::new();
    let mut places = Vec::with_capacity(admitted.len());
    for one in admitted {
        let scope = one.scope;
        let place = *known.entry(scope).or_insert_with(|| {
            scopes.push((scope, Vec::new()));
            scopes.len() - 1
        });
        places.push(place);
        if let Some((_, events)) = scopes.get_mut(place) {
            events.push(one);
        }
    }
    (places, scopes)
}

/// The stored events' ids in the order of the request.
fn in_order(places: &[usize], stored: Vec<Stored>) -> Vec<EventId> {
    let mut ids: Vec<_> = stored.into_iter().map(|one| one.ids.into_iter()).collect();
    places.iter().filter_map(|place| ids.get_mut(*place)?.next()).collect()
}

/// Work for the processor, off the threads that serve connections.
async fn on_another_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "work was lost");
        Problem::internal()
    })
}
