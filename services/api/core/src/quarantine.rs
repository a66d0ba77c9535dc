//! Events in quarantine, as we show them.

use std::collections::HashMap;

use auditrelay_model::delivery::Lane;
use auditrelay_model::quarantine::{Parked, Release, Released, Resent};
use serde::Serialize;

use crate::attempt::parse_size;
use crate::audit_log::item::Item;
use crate::body::{Reader, Unknown};
use crate::delivery::CursorView;
use crate::fault::{Fault, Wrong};
use crate::query::Query;
use crate::text;

/// Characters of a reason that are kept.
const REASON_CHARS_MAX: u64 = 255;

/// Which parked events are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// How many.
    pub size: usize,
    /// Only those before this one; none begins with the newest.
    pub after: Option<u64>,
    /// Only those in this state.
    pub state: Option<State>,
}

impl Wish {
    /// Reads `page[size]`, `page[after]` and `filter[state]`.
    pub fn parse(query: &Query) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let size = parse_size(query).unwrap_or_else(|found| {
            faults.extend(found);
            0
        });
        let after = query.get("page[after]").map(str::parse::<u64>);
        if matches!(after, Some(Err(_))) {
            faults.push(Fault::query("page[after]", Wrong::Cursor));
        }
        let state = query.get("filter[state]").map(State::from_name);
        if matches!(state, Some(None)) {
            faults.push(Fault::query("filter[state]", Wrong::Choices(STATES)));
        }
        let after = after.and_then(Result::ok);
        let wish = Self { size, after, state: state.flatten() };
        if faults.is_empty() { Ok(wish) } else { Err(faults) }
    }
}

/// How a parked event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nobody has released it.
    Parked,
    /// It was sent again and taken.
    Delivered,
    /// Somebody does not want it delivered.
    Discarded,
}

const STATES: &[&str] = &["parked", "delivered", "discarded"];

impl State {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "parked" => Some(Self::Parked),
            "delivered" => Some(Self::Delivered),
            "discarded" => Some(Self::Discarded),
            _ => None,
        }
    }

    fn of(releases: &[&Released]) -> Self {
        match releases.iter().map(|release| &release.what).find(|what| what.is_final()) {
            None => Self::Parked,
            Some(Release::Resent(_)) => Self::Delivered,
            Some(Release::Discarded { .. }) => Self::Discarded,
        }
    }
}

/// What was done about each parked event of a scope.
#[derive(Debug)]
pub struct Releases<'a>(HashMap<u64, Vec<&'a Released>>);

impl<'a> Releases<'a> {
    /// Sorts them by the event they are about.
    pub fn of(releases: &'a [Released]) -> Self {
        let mut all: HashMap<u64, Vec<&Released>> = HashMap::new();
        for release in releases {
            all.entry(release.parked).or_default().push(release);
        }
        Self(all)
    }

    /// How an event stands.
    pub fn view(&self, id: u64, parked: &Parked) -> View {
        let releases = self.0.get(&id).map(Vec::as_slice).unwrap_or_default();
        let (lane, job_id) = match parked.lane {
            Lane::Live => ("live", None),
            Lane::Replay(job) => ("replay", Some(job.to_string())),
        };
        View {
            id: id.to_string(),
            state: State::of(releases),
            at: parked.at.to_string(),
            lane,
            job_id,
            event_id: parked.event.to_string(),
            position: parked.position.into(),
            destination_id: parked.destination.to_string(),
            status: Some(parked.status).filter(|status| *status != 0),
            message: parked.message.clone(),
            releases: releases.iter().copied().map(ReleaseView::of).collect(),
        }
    }
}

/// An event in quarantine, on our own wire.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// Its name.
    pub id: String,
    /// How it stands.
    pub state: State,
    /// When it was set aside.
    pub at: String,
    /// `live` or `replay`.
    pub lane: &'static str,
    /// The replay job, on its lane.
    pub job_id: Option<String>,
    /// The event.
    pub event_id: String,
    /// Where it is in the log.
    pub position: CursorView,
    /// Whose receiver refused it.
    pub destination_id: String,
    /// HTTP status of the refusal.
    pub status: Option<u16>,
    /// First bytes of the receiver's answer.
    pub message: String,
    /// What was done about it, oldest first.
    pub releases: Vec<ReleaseView>,
}

/// What was done about a parked event.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ReleaseView {
    /// When.
    pub at: String,
    /// Who wanted it.
    pub actor: String,
    /// `resend` or `discard`.
    pub action: &'static str,
    /// Why it was discarded.
    pub reason: Option<String>,
    /// Whether the receiver took it; null when it was not sent.
    pub delivered: Option<bool>,
    /// Where it was sent.
    pub destination_id: Option<String>,
    /// HTTP status of the answer.
    pub status: Option<u16>,
    /// First bytes of the answer, or the error.
    pub message: Option<String>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// W3C trace id.
    pub trace_id: Option<String>,
}

impl ReleaseView {
    fn of(released: &Released) -> Self {
        let (at, actor) = (released.at.to_string(), released.actor.clone());
        match &released.what {
            Release::Discarded { reason } => Self {
                at,
                actor,
                action: "discard",
                reason: Some(reason.clone()).filter(|reason| !reason.is_empty()),
                delivered: None,
                destination_id: None,
                status: None,
                message: None,
                duration_ms: None,
                trace_id: None,
            },
            Release::Resent(resent) => Self::resent(at, actor, resent),
        }
    }

    fn resent(at: String, actor: String, resent: &Resent) -> Self {
        Self {
            at,
            actor,
            action: "resend",
            reason: None,
            delivered: Some(resent.delivered),
            destination_id: Some(resent.destination.to_string()),
            status: resent.status,
            message: Some(resent.message.clone()),
            duration_ms: u64::try_from(resent.duration.as_millis()).ok(),
            trace_id: Some(resent.trace_id.clone()).filter(|id| !id.is_empty()),
        }
    }
}

/// One parked event with all there is to know.
#[derive(Debug, Serialize)]
pub struct Detail {
    /// As the list shows it.
    #[serde(flatten)]
    pub view: View,
    /// The event as the pull API shows it; null once it has expired.
    pub event: Option<Item>,
}

/// Why an event is discarded; the body may be left out.
pub fn parse_reason(body: &[u8]) -> Result<String, Vec<Fault>> {
    if body.is_empty() {
        return Ok(String::new());
    }
    let mut reader = Reader::parse(body)?;
    let reason = reader.text("reason").value().unwrap_or_default();
    if text::longer(&reason, REASON_CHARS_MAX) {
        reader.fault("reason", Wrong::MaxLength(REASON_CHARS_MAX));
    } else if reason.chars().any(auditrelay_model::text::is_unsafe) {
        reader.fault("reason", Wrong::Invalid("must be one line of printable text"));
    }
    reader.finish(Unknown::Refused)?;
    Ok(reason)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auditrelay_model::id::{DestinationId, OrgId};
    use auditrelay_model::{Scope, Timestamp};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_event_that_was_sent_again_leads_to_its_trace_if_there_is_one() {
        for (trace_id, shown) in [("", None), ("4bf9", Some("4bf9"))] {
            let resent = Resent {
                destination: DestinationId::from_uuid(Uuid::nil()),
                delivered: true,
                status: Some(200),
                message: String::new(),
                duration: Duration::from_millis(3),
                trace_id: trace_id.to_owned(),
            };
            let released = Released {
                at: Timestamp::default(),
                scope: Scope::Organization(OrgId::from_uuid(Uuid::nil())),
                parked: 7,
                actor: "token".to_owned(),
                sender: "s".to_owned(),
                what: Release::Resent(resent),
            };
            assert_eq!(ReleaseView::of(&released).trace_id.as_deref(), shown);
        }
    }
}
