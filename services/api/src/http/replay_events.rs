//! `/v1/replay-jobs/{job}/events`: a job as it goes on, as server-sent events.
//!
//! Every event carries the whole job, so whoever connects again misses nothing. A stream ends with
//! the job, with the token, with the process, or after [`LIFE`]; clients come again by themselves.

use std::convert::Infallible;
use std::time::Duration;

use auditrelay_api_core::authz::Ask;
use auditrelay_model::Scope;
use auditrelay_model::id::{JobId, OrgId};
use auditrelay_runtime::problem::Problem;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use tokio::time::Instant;

use super::progress::detail;
use super::replay_jobs::find;
use super::request::Id;
use super::response::Answer;
use crate::auth::Signed;
use crate::turns::Turn;

/// Streams of one organization that one process serves at the same time.
const STREAMS_MAX: usize = 8;
/// How soon a client that finds no place, or lost its stream, comes again.
const RETRY: Duration = Duration::from_secs(2);
/// Lanes store facts between the facts of their jobs: looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Silence of this length is broken, so that nothing in between takes the stream for dead.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A stream ends after this time, whoever listens.
const LIFE: Duration = Duration::from_mins(30);

pub(super) async fn get(signed: Signed, Id(id): Id<JobId>) -> Answer {
    let (scope, _) = find(&signed, Ask::ReadConfig, id).await?;
    let turn = signed.api.watches.take(scope.org(), STREAMS_MAX);
    let turn = turn.ok_or_else(|| Problem::too_many_requests(RETRY))?;
    let watch = Watch {
        signed,
        scope,
        id,
        last: String::new(),
        until: Instant::now() + LIFE,
        over: false,
        _turn: turn,
    };
    let heartbeat = KeepAlive::new().interval(HEARTBEAT).text("still here");
    let response = Sse::new(watch.events()).keep_alive(heartbeat).into_response();
    Ok(uncached(response))
}

/// Neither kept nor collected by anything between here and the client.
fn uncached(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Somebody who looks at a job.
struct Watch {
    signed: Signed,
    scope: Scope,
    id: JobId,
    last: String,
    until: Instant,
    over: bool,
    _turn: Turn<OrgId>,
}

impl Watch {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut watch| async move {
            let event = watch.next().await?;
            Some((Ok(event), watch))
        })
    }

    /// The job when something about it has changed; none when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        let mut changes = self.signed.api.replays.changes();
        while !self.over && Instant::now() < self.until && self.signed.still_may() {
            match self.look().await {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                // The broker is away for a while: the heartbeat goes on.
                Err(_) => tracing::debug!(job.id = %self.id, "a job is looked at again later"),
            }
            tokio::select! {
                () = self.signed.api.soft.cancelled() => return None,
                _ = changes.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        None
    }

    async fn look(&mut self) -> Result<Option<Event>, Problem> {
        let jobs = self.signed.api.replays.get(&self.scope).state;
        let Some(job) = jobs.find(self.id) else {
            self.over = true;
            return Ok(None);
        };
        let shown = detail(&self.signed, self.scope, &jobs, Some(job)).await?;
        let text = serde_json::to_string(&shown).map_err(|_| Problem::internal())?;
        if text == self.last {
            return Ok(None);
        }
        self.over = job.is_ended();
        let name = if self.over { "end" } else { "progress" };
        let id = format!("{}-{}", job.updated_at.nanos(), shown.progress.requests);
        let event = Event::default().event(name).id(id).retry(RETRY).data(&text);
        self.last = text;
        Ok(Some(event))
    }
}
