//! How a destination's lines will look: a real event in every format.

use std::net::{IpAddr, Ipv4Addr};

use auditrelay_model::Scope;
use auditrelay_model::destination::LogFormat;
use auditrelay_model::event::{
    AuditEvent, Authentication, AuthenticationOutcome, AuthenticationType, Detail,
};
use auditrelay_model::id::EventId;
use auditrelay_runtime::ids;
use auditrelay_runtime::problem::Problem;
use auditrelay_streams::ReadError;

use super::event::{Line, written};
use super::place::Place;
use super::visit::Visit;
use crate::problems;

/// One event in every format.
pub(super) struct Preview {
    pub(super) lines: Vec<Line>,
    /// Whose event it is; none for one that was made up.
    pub(super) from: Option<Place>,
}

impl Preview {
    /// The newest event of the first place that has one; a made-up one where none has.
    pub(super) async fn read(visit: &Visit, places: &[Place]) -> Result<Self, Problem> {
        let own = Place::organization(visit.org);
        let portals = visit.config.portals.values().take(PLACES_MAX);
        let others: Vec<_> = portals
            .map(|portal| Place::portal(visit.org, portal.id, &portal.display_name))
            .collect();
        for place in places.iter().take(PLACES_MAX).chain([&own]).chain(&others) {
            let newest = match visit.api().streams.last_record(place.scope).await {
                // What cannot be read is no example.
                Err(ReadError::Corrupt(_)) => None,
                read => read.map_err(|error| problems::unread(&error))?,
            };
            if let Some(event) = newest.and_then(|newest| newest.record.events.last().cloned()) {
                return Ok(Self::of(visit, place.scope, &event, Some(place.clone())));
            }
        }
        Ok(Self::of(visit, own.scope, &made_up(visit), None))
    }

    fn of(visit: &Visit, scope: Scope, event: &AuditEvent, from: Option<Place>) -> Self {
        let api = visit.api();
        let lines = LogFormat::ALL.iter().map(|format| written(api, scope, event, *format));
        Self { lines: lines.collect(), from }
    }
}

/// Places that are looked at for an event.
const PLACES_MAX: usize = 3;

fn made_up(visit: &Visit) -> AuditEvent {
    AuditEvent {
        principal_id: visit.signed.actor(),
        client_ip: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        uri: "/example".to_owned(),
        user_agent: "example".to_owned(),
        ..AuditEvent::new(
            EventId::from_uuid(ids::uuid_v7()),
            visit.api().now(),
            Detail::Authentication(Authentication {
                method: AuthenticationType::Basic,
                outcome: AuthenticationOutcome::Success,
                success: true,
            }),
        )
    }
}
