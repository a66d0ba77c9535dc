//! How far a scope's live lane has come, in all the detail that we have.

use auditrelay_model::delivery::{LaneState, Totals};
use auditrelay_model::record::Position;
use serde::Serialize;

use crate::status;

/// A scope's delivery on our own wire.
#[derive(Debug, Serialize)]
pub struct View {
    /// As the compatible routes show it.
    #[serde(flatten)]
    pub status: status::View,
    /// The last event that is done.
    pub cursor: Option<CursorView>,
    /// Set while the lane reads on its own because it could not keep up.
    pub behind: Option<BehindView>,
    /// Set while only probes are sent.
    pub hold: Option<HoldView>,
    /// What the lane has done.
    pub totals: TotalsView,
}

/// A place in a scope's log.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct CursorView {
    /// The life of the chain.
    pub epoch: u64,
    /// The event's number in it.
    pub number: u64,
    /// Stream sequence of its record.
    pub sequence: u64,
}

/// Since when and why a lane reads on its own.
#[derive(Debug, Serialize)]
pub struct BehindView {
    /// Since when.
    pub since: String,
    /// Why.
    pub reason: String,
}

/// Since when and why a webhook is inactive.
#[derive(Debug, Serialize)]
pub struct HoldView {
    /// Since when.
    pub since: String,
    /// Why.
    pub reason: String,
    /// Credentials, address or certificate: waiting does not help.
    pub customer_must_act: bool,
}

/// What a lane has done.
#[derive(Debug, Serialize)]
pub struct TotalsView {
    /// Events delivered.
    pub events_delivered: u64,
    /// Events refused one by one.
    pub events_quarantined: u64,
    /// Events that were gone before they could be delivered.
    pub events_expired: u64,
    /// Bytes delivered, before compression.
    pub bytes_delivered: u64,
    /// HTTP requests.
    pub requests: u64,
    /// HTTP requests that were not answered 2xx.
    pub requests_failed: u64,
}

impl View {
    /// A lane, beside the webhook's status.
    pub fn of(status: status::View, lane: &LaneState) -> Self {
        Self {
            status,
            cursor: lane.cursor.map(CursorView::from),
            behind: lane.behind.as_ref().map(|behind| BehindView {
                since: behind.since.to_string(),
                reason: behind.reason.clone(),
            }),
            hold: lane.hold.as_ref().map(|hold| HoldView {
                since: hold.since.to_string(),
                reason: hold.reason.clone(),
                customer_must_act: hold.customer_must_act,
            }),
            totals: TotalsView::from(lane.totals),
        }
    }
}

impl From<Position> for CursorView {
    fn from(position: Position) -> Self {
        let Position { epoch, number, sequence } = position;
        Self { epoch, number, sequence }
    }
}

impl From<Totals> for TotalsView {
    fn from(totals: Totals) -> Self {
        Self {
            events_delivered: totals.events_delivered,
            events_quarantined: totals.events_quarantined,
            events_expired: totals.events_expired,
            bytes_delivered: totals.bytes_delivered,
            requests: totals.requests,
            requests_failed: totals.requests_failed,
        }
    }
}
