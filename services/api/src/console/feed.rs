//! Streams of server-sent events, for as long as whoever reads them is signed in.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use auditrelay_runtime::problem::Problem;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream;
use http::{HeaderName, HeaderValue};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::visit::{Answer, Visit};

/// How often a reader's session and token are looked at again.
const RECHECK: Duration = Duration::from_secs(4);
/// How soon a browser may ask when every seat is taken.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Proxies that hold answers back are asked not to.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Where a stream's events come from.
pub(super) trait Source: Send + 'static {
    /// How often to look.
    const EVERY: Duration;

    /// What is new since the last look.
    fn look(
        &mut self,
        visit: &Visit,
    ) -> impl Future<Output = Result<VecDeque<Event>, Problem>> + Send;
}

/// One stream and its reader.
pub(super) struct Feed<S> {
    visit: Visit,
    source: S,
    waiting: VecDeque<Event>,
    looked: Option<Instant>,
    checked: Instant,
    over: bool,
    _seat: OwnedSemaphorePermit,
}

impl<S: Source> Feed<S> {
    /// Begins a stream, if there is a seat for one more reader.
    pub(super) fn open(visit: Visit, source: S) -> Answer {
        let seat = std::sync::Arc::clone(&visit.api().readers).try_acquire_owned();
        let seat = seat.map_err(|_| Problem::unavailable("Too many readers", AGAIN_AFTER))?;
        let feed = Self {
            visit,
            source,
            waiting: VecDeque::new(),
            looked: None,
            checked: Instant::now(),
            over: false,
            _seat: seat,
        };
        let events = stream::unfold(feed, Self::next);
        let mut response = Sse::new(events).keep_alive(KeepAlive::default()).into_response();
        response.headers_mut().insert(UNBUFFERED, HeaderValue::from_static("no"));
        Ok(response)
    }

    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let stop = self.visit.api().soft.clone();
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some((Ok(event), self));
            }
            if self.over {
                return None;
            }
            if let Some(looked) = self.looked {
                tokio::select! {
                    () = stop.cancelled() => return None,
                    () = tokio::time::sleep_until(looked + S::EVERY) => {}
                }
            }
            self.looked = Some(Instant::now());
            if self.checked.elapsed() >= RECHECK {
                self.checked = Instant::now();
                if !self.visit.still_counts().await {
                    self.over = true;
                    self.waiting.push_back(Event::default().event("ended").data("signed out"));
                    continue;
                }
            }
            match self.source.look(&self.visit).await {
                Ok(new) => self.waiting = new,
                // What is shown stays until it can be read again.
                Err(problem) => tracing::debug!(detail = problem.detail, "a panel is not read"),
            }
        }
    }
}
