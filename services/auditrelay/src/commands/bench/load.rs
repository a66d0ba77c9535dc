//! Producers: as fast as they are answered, or at a fixed rate whatever the answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use auditrelay_model::Clock;
use auditrelay_model::id::{EventId, PortalId};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::ids;
use bytes::Bytes;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::sample::Sample;

/// Where to send what.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) http: reqwest::Client,
    pub(super) url: String,
    /// Sent in turn.
    pub(super) parcels: Arc<[Parcel]>,
    /// Events of each parcel.
    pub(super) events: u64,
}

/// What is sent, and by whom.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) token: Arc<str>,
    pub(super) body: Bytes,
}

/// What a load came to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Done {
    pub(super) events: u64,
    /// Requests that were not answered 202.
    pub(super) refused: u64,
    pub(super) took: Duration,
}

/// When a load ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    After(Duration),
    /// So many requests by all together.
    Requests(u64),
}

/// A request's body: so many samples without ids of their own, for the scope.
pub(super) fn body(first: u64, events: u64, portal: Option<PortalId>) -> Bytes {
    let sample = Sample { portal, kind: None };
    let now = SystemClock.now();
    let drafts = (first..first + events).map(|number| {
        let mut draft = sample.draft(number, EventId::from_uuid(ids::uuid_v7()), now);
        if let Some(draft) = draft.as_object_mut() {
            draft.remove("id");
        }
        draft
    });
    Value::Array(drafts.collect()).to_string().into()
}

/// One such body for each portal, or for the organization's own log where there is none.
pub(super) fn parcels(token: &str, events: u64, portals: &[PortalId]) -> Arc<[Parcel]> {
    let token: Arc<str> = token.into();
    let parcel = |body| Parcel { token: Arc::clone(&token), body };
    if portals.is_empty() {
        return Arc::new([parcel(body(0, events, None))]);
    }
    let numbered = portals.iter().zip((0..).step_by(7));
    numbered.map(|(portal, first)| parcel(body(first, events, Some(*portal)))).collect()
}

impl Target {
    /// Sends these too.
    pub(super) fn include(&mut self, more: &[Parcel]) {
        self.parcels = self.parcels.iter().chain(more).cloned().collect();
    }

    /// Sends from so many connections, each as soon as it is answered.
    pub(super) async fn closed(&self, connections: usize, until: Until) -> Done {
        let began = Instant::now();
        let mut senders = JoinSet::new();
        for sender in 0..connections {
            let target = self.clone();
            senders.spawn(async move { target.send(sender, connections, began, until).await });
        }
        let mut done = Done::default();
        while let Some(one) = senders.join_next().await {
            let one = one.unwrap_or_default();
            done.events += one.events;
            done.refused += one.refused;
        }
        done.took = began.elapsed();
        done
    }

    async fn send(&self, sender: usize, step: usize, began: Instant, until: Until) -> Done {
        let mut done = Done::default();
        let mut turn = sender;
        loop {
            let over = match until {
                Until::After(span) => began.elapsed() >= span,
                Until::Requests(requests) => turn as u64 >= requests,
            };
            if over {
                return done;
            }
            match self.post(turn).await {
                Some(_) => done.events += self.events,
                None => done.refused += 1,
            }
            turn += step;
        }
    }

    /// The answer's body; none unless it is 202.
    async fn post(&self, turn: usize) -> Option<Bytes> {
        let Parcel { token, body } = self.parcels.get(turn % self.parcels.len())?;
        let request = self.http.post(&self.url).bearer_auth(token);
        let request = request.header("content-type", "application/json").body(body.clone());
        let response = request.send().await.ok()?;
        let accepted = response.status() == reqwest::StatusCode::ACCEPTED;
        let answer = response.bytes().await.ok()?;
        accepted.then_some(answer)
    }

    /// Sends at a fixed rate, whether or not it is answered; when each event was accepted.
    pub(super) async fn open(&self, rate: u32, span: Duration) -> HashMap<EventId, Instant> {
        let began = Instant::now();
        let mut waiting = JoinSet::new();
        let mut accepted = HashMap::new();
        let total = u64::from(rate) * span.as_secs().max(1);
        for number in 0..total {
            let due = Duration::from_nanos(number * 1_000_000_000 / u64::from(rate.max(1)));
            tokio::time::sleep_until(began + due).await;
            let target = self.clone();
            let turn = usize::try_from(number).unwrap_or(0);
            waiting.spawn(async move { (target.post(turn).await, Instant::now()) });
            while let Some(Ok((answer, at))) = waiting.try_join_next() {
                accepted.extend(ids_of(answer).into_iter().map(|id| (id, at)));
            }
        }
        while let Some(Ok((answer, at))) = waiting.join_next().await {
            accepted.extend(ids_of(answer).into_iter().map(|id| (id, at)));
        }
        accepted
    }
}

fn ids_of(answer: Option<Bytes>) -> Vec<EventId> {
    let document = answer.and_then(|answer| serde_json::from_slice::<Value>(&answer).ok());
    let ids = document.as_ref().and_then(|document| document.get("ids")?.as_array());
    let parse = |id: &Value| id.as_str()?.parse().ok();
    ids.map(|ids| ids.iter().filter_map(parse).collect()).unwrap_or_default()
}
